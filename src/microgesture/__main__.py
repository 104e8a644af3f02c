from .machine.search_path import leave_out_current_folder

leave_out_current_folder()

from .cli import main  # noqa: E402

raise SystemExit(main())
