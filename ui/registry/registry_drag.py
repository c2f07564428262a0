"""Dragging in the registry: horses onto horses, strips onto horses or beside them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject, QPoint
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QStackedWidget, QWidget

from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import TrackStrip
from engine.domain.ids import HorseId
from ui.registry.context import RegistryContext
from ui.registry.drag_layer import DragLayer, HorseLift, HorseLoad, Load, StripLoad, Target
from ui.registry.gallery import HorseGallery, HorseTable
from ui.registry.horse_delegate import CardDelegate, Handling
from ui.registry.side_area import SideArea
from ui.registry.track_panels import MovePanel

GONE = (HorseStatus.MERGED, HorseStatus.ARCHIVED)


def _tr(text: str) -> str:
    return QCoreApplication.translate("Drops", text)


class RegistryDrag(QObject):
    """Every drag over ``page``; a drop asks about a correction, it never makes one."""

    def __init__(
        self,
        page: QWidget,
        context: RegistryContext,
        views: QStackedWidget,
        delegate: CardDelegate,
        side: SideArea,
    ) -> None:
        super().__init__(page)
        self._context = context
        self._views = views
        self._delegate = delegate
        self._side = side
        shown = [views.widget(place) for place in range(views.count())]
        lists = [view for view in shown if isinstance(view, (HorseGallery, HorseTable))]
        self.layer = DragLayer(page, context.theme, self.target_at, lists[0])
        for view in lists:
            HorseLift(view, self.layer, view.horse_at)
        self.layer.dropped.connect(self._on_drop)
        self.layer.moved.connect(self._on_moved)
        self.layer.started.connect(self._on_started)
        side.comparing.connect(self._on_comparing)
        side.profile.strip_lifted.connect(self._on_strip_lifted)
        side.profile.strip_carried.connect(self.layer.move_to)
        side.profile.strip_let_go.connect(self.layer.drop)

    def target_at(self, load: Load, at: QPoint) -> Target | None:
        """What a drop would do where the mouse is, global coordinates; None: nothing."""
        view = self._views.currentWidget()
        if isinstance(view, (HorseGallery, HorseTable)):
            point = view.viewport().mapFromGlobal(at)
            if view.viewport().rect().contains(point):
                found = view.horse_at(point)
                if found is not None:
                    return target_on(load, found[0])
                return Target(None, _tr("A new horse")) if isinstance(load, StripLoad) else None
        over = self._side.on_profile and self._side.rect().contains(self._side.mapFromGlobal(at))
        horse = self._side.profile.horse
        if over and horse is not None and isinstance(load, HorseLoad):
            return target_on(load, horse)
        return None

    def _on_started(self, load: Load) -> None:
        if isinstance(load, HorseLoad):
            self._delegate.handling.lifted = frozenset((load.horse.id,))
            self._repaint()

    def _on_moved(self, target: Target | None) -> None:
        handling = self._delegate.handling
        handling.target = target.horse_id if target is not None else None
        if self.layer.load is None:
            handling.lifted = frozenset()
        self._repaint()

    def _on_comparing(self, kept: Horse | None, absorbed: Horse | None) -> None:
        """The two of an open merge stay marked on their cards."""
        lifted = frozenset((absorbed.id,)) if absorbed is not None else frozenset[HorseId]()
        self._delegate.handling = Handling(lifted, kept.id if kept is not None else None)
        self._repaint()

    def _on_drop(self, load: Load, target: Target) -> None:
        horse = self._context.directory.get(target.horse_id)
        if isinstance(load, StripLoad):
            self._side.ask(MovePanel(self._context, load.strip, horse, new_horse=horse is None))
        elif horse is not None:
            self._side.ask_merge(horse, load.horse)

    def _on_strip_lifted(self, strip: TrackStrip, ghost: QPixmap, at: QPoint) -> None:
        self.layer.begin(StripLoad(strip), ghost, at)

    def _repaint(self) -> None:
        view = self._views.currentWidget()
        if isinstance(view, HorseGallery):
            view.viewport().update()


def target_on(load: Load, horse: Horse) -> Target | None:
    """What a drop on a horse would do."""
    if horse.status in GONE:
        return None
    if isinstance(load, HorseLoad):
        if load.horse.id == horse.id or load.horse.status in GONE:
            return None
        words = _tr("Merge {0} into {1}").format(load.horse.title, horse.title)
        return Target(horse.id, words)
    if load.strip.horse_id == horse.id:
        return None
    return Target(horse.id, _tr("Give to {0}").format(horse.title))
