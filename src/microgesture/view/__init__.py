"""Contact sheets and videos that show a clip in every modality, as the networks receive it.

After the default run, ``microgesture view 0002_10 --frames 6 --cell 88 --output docs/contact_sheet.png`` makes the
picture in the documentation.
"""
