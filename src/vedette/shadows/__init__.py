"""Named shadows of the core device's thing, whichever nucleus runs the component.

::

    keeper = ShadowKeeper(bus, thing, "vedette-shop", on_state=lambda state: ...)
    keeper.start()
    keeper.report({"logLevel": "INFO"})     # all of state.reported; what has changed is sent
    keeper.close()
"""

from vedette.shadows.keeper import ShadowKeeper
from vedette.shadows.state import ShadowState

__all__ = ["ShadowKeeper", "ShadowState"]
