"""The plug-in's photo, its labels and selection."""

from semcolor.client.session import Session
from semcolor.photos.label_colors import Colors, palette
from semcolor.photos.pixels import LabelMap, Mask
from semcolor.shared.errors import malformed
from semcolor.shared.geometry import Rectangle

from .certainty import CertaintyMap
from .painted import Painted


class OpenPhoto:
    """What all answers are about; there is no photo at first.

    ``colors``: what the image makes of the classes' colours.
    """

    def __init__(self) -> None:
        self.colors: Colors = palette()
        self._session: Session | None = None
        self._certainty: CertaintyMap | None = None
        self._mask: Mask | None = None
        self._painted: Painted | None = None

    def open(self, session: Session | None) -> None:
        """Another photo; None: it is still to come."""
        self._session, self._certainty = session, None
        self._mask, self._painted = None, None

    @property
    def session(self) -> Session:
        """Raises SemcolorError (MALFORMED) without a photo, as do the others."""
        if self._session is None:
            raise malformed("there is no photo yet")
        return self._session

    def set_labels(self, labels: LabelMap, certainty: CertaintyMap | None = None) -> None:
        """Other labels; without ``certainty`` they are exact. Raises SIZE_MISMATCH too."""
        self.session.set_labels(labels)
        self._certainty = certainty or CertaintyMap(*labels.shape)
        self._painted = Painted(*labels.shape)

    @property
    def labels(self) -> LabelMap:
        """The current labels."""
        labels = self.session.labels
        if labels is None:
            raise malformed("there are no labels yet")
        return labels

    @property
    def certainty(self) -> CertaintyMap:
        """Of the current labels."""
        if self.session.labels is None or self._certainty is None:
            raise malformed("there are no labels yet")
        return self._certainty

    @property
    def painted(self) -> Painted:
        """Where the restorer has painted the current labels."""
        if self.session.labels is None or self._painted is None:
            raise malformed("there are no labels yet")
        return self._painted

    @property
    def mask(self) -> Mask:
        """The selection."""
        if self._mask is None:
            raise malformed("there is no selection yet")
        return self._mask

    def select(self, mask: Mask) -> None:
        """Another selection."""
        self._mask = mask

    def inside(self, x: int, y: int, width: int | None, height: int) -> Rectangle:
        """A rectangle of the photo; without ``width`` it goes to the photo's edge."""
        session = self.session
        region = Rectangle(x, y, session.width - x if width is None else width, height)
        if not region or not region.fits(session.width, session.height):
            raise malformed("this rectangle is not inside the photo")
        return region
