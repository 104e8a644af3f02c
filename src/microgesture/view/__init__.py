"""Contact sheets: what the networks see of a clip, as pictures and videos for people to look at.

After the default run, ``microgesture view 0002_10 --frames 6 --cell 88 --output docs/contact_sheet.png`` draws the
picture in the documentation.
"""
