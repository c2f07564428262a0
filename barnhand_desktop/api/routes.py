"""The route table: every path of the API with its endpoint, role and key scope.

Nothing is served that is not in it; the tests of authorisation are made from it.
"""

from __future__ import annotations

from collections.abc import Callable

from barnhand_desktop.api.access import BASE_PATH, ApiRoute, Scope
from barnhand_desktop.api.avatars import MEDIA_TYPES as PICTURES
from barnhand_desktop.api.model_uploads import OVERHEAD_BYTES, REQUEST_BODY
from barnhand_desktop.api.routers import (
    alerts,
    analytics,
    areas,
    audit,
    auth,
    avatars,
    bookmarks,
    calendar,
    chunks,
    detections,
    docs,
    edits,
    exports,
    farms,
    health,
    hls,
    horses,
    jobs,
    models,
    motion,
    nodes,
    ptz,
    reviews,
    sessions,
    snapshots,
    streams,
    tracking,
    users,
)
from barnhand_desktop.api.session_uploads import REQUEST_BODY as VIDEO_FORM
from db.repositories.users import Role

_VIEWER, _MANAGER, _ADMIN = Role.VIEWER, Role.MANAGER, Role.ADMIN
_READ, _WRITE = Scope.READ, Scope.WRITE

_PTZ = "/streams/{stream_id}/ptz"

_JPEG = ("image/jpeg",)
_MP4 = ("video/mp4",)
_PDF = ("application/pdf",)
_PLAYLIST = (hls.MEDIA_TYPE,)
_TEXT = ("text/plain",)
_ELSEWHERE = (409,)
"""Of files: another workstation may have them."""


def _file(
    path: str, endpoint: Callable[..., object], role: Role | None, media: tuple[str, ...]
) -> ApiRoute:
    """A file that is answered whole or in ranges, and may lie on another workstation."""
    return ApiRoute(
        "GET",
        path,
        endpoint,
        role,
        None if role is None else _READ,
        media=media,
        files=True,
        also=(206,),
        refuses=_ELSEWHERE,
    )


ROUTES: tuple[ApiRoute, ...] = (
    ApiRoute("POST", "/auth/login", auth.login, None, refuses=(401,)),
    ApiRoute("POST", "/auth/refresh", auth.refresh, None, refuses=(401,)),
    ApiRoute("POST", "/auth/logout", auth.logout, _VIEWER, status=204, unchanged_password=True),
    ApiRoute("GET", "/auth/me", auth.me, _VIEWER, _READ, unchanged_password=True),
    ApiRoute(
        "POST",
        "/auth/password",
        auth.change_password,
        _VIEWER,
        status=204,
        unchanged_password=True,
    ),
    ApiRoute("GET", "/api-keys", auth.list_keys, _VIEWER),
    ApiRoute("POST", "/api-keys", auth.add_key, _VIEWER, status=201),
    ApiRoute("DELETE", "/api-keys/{key_id}", auth.revoke_key, _VIEWER, status=204),
    ApiRoute("GET", "/users", users.list_users, _ADMIN, _READ),
    ApiRoute("POST", "/users", users.add_user, _ADMIN, status=201),
    ApiRoute("GET", "/users/{user_id}", users.get_user, _ADMIN, _READ),
    ApiRoute("PUT", "/users/{user_id}", users.change_user, _ADMIN),
    ApiRoute("DELETE", "/users/{user_id}", users.remove_user, _ADMIN, status=204),
    ApiRoute("GET", "/users/{user_id}/grants", users.get_grants, _ADMIN, _READ),
    ApiRoute("PUT", "/users/{user_id}/grants", users.set_grants, _ADMIN),
    ApiRoute("GET", "/streams", streams.list_streams, _VIEWER, _READ),
    ApiRoute("POST", "/streams", streams.add_stream, _MANAGER, _WRITE, status=201),
    ApiRoute("GET", "/streams/{stream_id}", streams.get_stream, _VIEWER, _READ),
    ApiRoute("PUT", "/streams/{stream_id}", streams.change_stream, _MANAGER, _WRITE),
    ApiRoute("DELETE", "/streams/{stream_id}", streams.remove_stream, _MANAGER, _WRITE, status=204),
    ApiRoute(
        "POST", "/streams/{stream_id}/start", streams.start_stream, _MANAGER, _WRITE, status=202
    ),
    ApiRoute(
        "POST", "/streams/{stream_id}/stop", streams.stop_stream, _MANAGER, _WRITE, status=202
    ),
    ApiRoute("GET", "/streams/{stream_id}/status", streams.stream_status, _VIEWER, _READ),
    ApiRoute(
        "GET", "/streams/{stream_id}/snapshot", snapshots.snapshot, _VIEWER, _READ, media=_JPEG
    ),
    ApiRoute("GET", _PTZ, ptz.get_state, _VIEWER, _READ),
    ApiRoute("POST", f"{_PTZ}/move", ptz.move, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/stop", ptz.stop, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/hold", ptz.hold, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/release", ptz.release, _MANAGER, _WRITE),
    ApiRoute("GET", f"{_PTZ}/presets", ptz.list_presets, _VIEWER, _READ),
    ApiRoute("PUT", f"{_PTZ}/presets/{{number}}", ptz.store_preset, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/presets/{{number}}/goto", ptz.go_to, _MANAGER, _WRITE),
    ApiRoute(
        "GET", f"{_PTZ}/presets/{{number}}/thumbnail", ptz.thumbnail, _VIEWER, _READ, media=_JPEG
    ),
    ApiRoute("GET", f"{_PTZ}/snapshot", ptz.snapshot, _VIEWER, _READ, media=_JPEG),
    ApiRoute("POST", f"{_PTZ}/follow", ptz.follow, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/end", ptz.end_activity, _MANAGER, _WRITE),
    ApiRoute("POST", f"{_PTZ}/scan", ptz.scan, _MANAGER, _WRITE),
    ApiRoute("GET", f"{_PTZ}/tours", ptz.list_tours, _VIEWER, _READ),
    ApiRoute("POST", f"{_PTZ}/tours", ptz.add_tour, _MANAGER, _WRITE, status=201),
    ApiRoute("DELETE", f"{_PTZ}/tours/{{tour_id}}", ptz.remove_tour, _MANAGER, _WRITE, status=204),
    ApiRoute("POST", f"{_PTZ}/tours/{{tour_id}}/start", ptz.start_tour, _MANAGER, _WRITE),
    ApiRoute(
        "GET",
        "/streams/{stream_id}/hls/playlist.m3u8",
        hls.playlist,
        _VIEWER,
        _READ,
        media=_PLAYLIST,
        refuses=_ELSEWHERE,
    ),
    ApiRoute("GET", "/streams/{stream_id}/hls/link", hls.link, _VIEWER, _READ),
    ApiRoute(
        "GET",
        "/hls/{token}/playlist.m3u8",
        hls.signed_playlist,
        None,
        media=_PLAYLIST,
        refuses=_ELSEWHERE,
    ),
    _file("/hls/{token}/video.mp4", hls.signed_video, None, _MP4),
    ApiRoute("GET", "/hls/{token}/overlay.json", hls.signed_overlay, None, refuses=_ELSEWHERE),
    ApiRoute("GET", "/chunks", chunks.list_chunks, _VIEWER, _READ),
    ApiRoute("GET", "/chunks/{chunk_id}", chunks.get_chunk, _VIEWER, _READ),
    _file("/chunks/{chunk_id}/video", chunks.video, _VIEWER, _MP4),
    ApiRoute(
        "GET", "/chunks/{chunk_id}/overlay", chunks.overlay, _VIEWER, _READ, refuses=_ELSEWHERE
    ),
    ApiRoute("POST", "/chunks/{chunk_id}/lock", chunks.lock, _MANAGER, _WRITE),
    ApiRoute("POST", "/chunks/{chunk_id}/reprocess", jobs.reprocess, _MANAGER, _WRITE, status=202),
    ApiRoute("GET", "/chunks/{chunk_id}/edits", edits.list_edits, _MANAGER, _READ),
    ApiRoute("POST", "/chunks/{chunk_id}/edits", edits.apply_edits, _MANAGER, _WRITE),
    ApiRoute("POST", "/chunks/{chunk_id}/edits/preview", edits.preview_edits, _MANAGER, _READ),
    ApiRoute("POST", "/chunks/{chunk_id}/edits/undo", edits.undo_edits, _MANAGER, _WRITE),
    ApiRoute("GET", "/jobs", jobs.list_jobs, _MANAGER, _READ),
    ApiRoute("GET", "/jobs/{job_id}", jobs.get_job, _MANAGER, _READ),
    ApiRoute("POST", "/jobs/{job_id}/cancel", jobs.cancel_job, _MANAGER, _WRITE),
    ApiRoute("GET", "/exports", exports.list_exports, _MANAGER, _READ),
    ApiRoute("POST", "/exports", exports.add_export, _MANAGER, _WRITE, status=202),
    ApiRoute("GET", "/exports/{export_id}", exports.get_export, _MANAGER, _READ),
    ApiRoute("DELETE", "/exports/{export_id}", exports.remove_export, _MANAGER, _WRITE, status=204),
    _file("/exports/{export_id}/download", exports.download, _MANAGER, exports.MEDIA_TYPES),
    ApiRoute("GET", "/sessions", sessions.list_sessions, _MANAGER, _READ),
    ApiRoute("POST", "/sessions", sessions.add_session, _MANAGER, _WRITE, status=201),
    ApiRoute(
        "POST",
        "/sessions/upload",
        sessions.upload_session,
        _MANAGER,
        _WRITE,
        status=201,
        body_bytes=lambda config: config.session_upload_bytes + OVERHEAD_BYTES,
        request_body=VIDEO_FORM,
        refuses=(404,),
    ),
    ApiRoute(
        "GET", "/sessions/compare", sessions.compare_sessions, _MANAGER, _READ, refuses=(404,)
    ),
    ApiRoute("GET", "/sessions/{session_id}", sessions.get_session, _MANAGER, _READ),
    ApiRoute("PATCH", "/sessions/{session_id}", sessions.change_session, _MANAGER, _WRITE),
    ApiRoute(
        "DELETE",
        "/sessions/{session_id}",
        sessions.remove_session,
        _MANAGER,
        _WRITE,
        status=204,
        refuses=(409,),
    ),
    ApiRoute("POST", "/sessions/{session_id}/stop", sessions.stop_session, _MANAGER, _WRITE),
    ApiRoute(
        "POST",
        "/sessions/{session_id}/analyse",
        sessions.analyse_session,
        _MANAGER,
        _WRITE,
        status=202,
    ),
    ApiRoute("GET", "/sessions/{session_id}/metrics", sessions.session_metrics, _MANAGER, _READ),
    ApiRoute("GET", "/sessions/{session_id}/strides", sessions.session_strides, _MANAGER, _READ),
    ApiRoute("GET", "/sessions/{session_id}/heat-map", sessions.session_heat_map, _MANAGER, _READ),
    _file("/sessions/{session_id}/report", sessions.session_report, _MANAGER, _PDF),
    _file("/sessions/{session_id}/video", sessions.session_video, _MANAGER, sessions.MEDIA_TYPES),
    ApiRoute("GET", "/calendar", calendar.list_entries, _MANAGER, _READ),
    ApiRoute("POST", "/calendar", calendar.add_entry, _MANAGER, _WRITE, status=201),
    ApiRoute(
        "GET",
        "/calendar/export.ics",
        calendar.export_entries,
        _MANAGER,
        _READ,
        media=(calendar.ICS,),
    ),
    ApiRoute("GET", "/calendar/{entry_id}", calendar.get_entry, _MANAGER, _READ),
    ApiRoute("PUT", "/calendar/{entry_id}", calendar.change_entry, _MANAGER, _WRITE),
    ApiRoute("DELETE", "/calendar/{entry_id}", calendar.remove_entry, _MANAGER, _WRITE, status=204),
    ApiRoute("GET", "/bookmarks", bookmarks.list_bookmarks, _MANAGER, _READ),
    ApiRoute("POST", "/bookmarks", bookmarks.add_bookmark, _MANAGER, _WRITE, status=201),
    ApiRoute("GET", "/bookmarks/{bookmark_id}", bookmarks.get_bookmark, _MANAGER, _READ),
    ApiRoute("PUT", "/bookmarks/{bookmark_id}", bookmarks.change_bookmark, _MANAGER, _WRITE),
    ApiRoute(
        "DELETE",
        "/bookmarks/{bookmark_id}",
        bookmarks.remove_bookmark,
        _MANAGER,
        _WRITE,
        status=204,
    ),
    ApiRoute("GET", "/detections", detections.list_detections, _VIEWER, _READ),
    ApiRoute("GET", "/horses", horses.list_horses, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}", horses.get_horse, _VIEWER, _READ),
    ApiRoute("PATCH", "/horses/{horse_id}", horses.change_horse, _MANAGER, _WRITE),
    ApiRoute("POST", "/horses/{horse_id}/accept", horses.accept_horse, _MANAGER, _WRITE),
    ApiRoute(
        "GET", "/horses/{horse_id}/avatar", avatars.avatar, _VIEWER, _READ, media=_JPEG, also=(304,)
    ),
    ApiRoute(
        "PUT",
        "/horses/{horse_id}/avatar",
        avatars.choose,
        _MANAGER,
        _WRITE,
        status=204,
        accepts=PICTURES,
    ),
    ApiRoute("DELETE", "/horses/{horse_id}/avatar", avatars.forget, _MANAGER, _WRITE, status=204),
    ApiRoute("GET", "/horses/{horse_id}/similar", horses.similar, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}/timeline", horses.timeline, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}/metrics", motion.metrics, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}/time-budget", motion.time_budget, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}/strides", motion.strides, _VIEWER, _READ),
    ApiRoute("GET", "/horses/{horse_id}/asymmetry", motion.asymmetry, _VIEWER, _READ),
    ApiRoute("GET", "/alerts", alerts.list_alerts, _MANAGER, _READ),
    ApiRoute("GET", "/alerts/{alert_id}", alerts.get_alert, _MANAGER, _READ),
    ApiRoute("GET", "/alerts/{alert_id}/picture", alerts.picture, _MANAGER, _READ, media=_JPEG),
    ApiRoute("POST", "/alerts/{alert_id}/acknowledge", alerts.acknowledge, _MANAGER, _WRITE),
    ApiRoute("GET", "/alert-rules", alerts.list_rules, _MANAGER, _READ),
    ApiRoute("POST", "/alert-rules", alerts.add_rule, _MANAGER, _WRITE, status=201),
    ApiRoute("PUT", "/alert-rules/{rule_id}", alerts.change_rule, _MANAGER, _WRITE),
    ApiRoute("DELETE", "/alert-rules/{rule_id}", alerts.remove_rule, _MANAGER, _WRITE, status=204),
    ApiRoute("GET", "/analytics/hourly-activity", analytics.hourly_activity, _MANAGER, _READ),
    ApiRoute("GET", "/analytics/presence", analytics.presence, _MANAGER, _READ),
    ApiRoute("GET", "/tracking/horses", horses.live_horses, _VIEWER, _READ),
    ApiRoute("GET", "/tracking/horses/{horse_id}", horses.horse_tracking, _VIEWER, _READ),
    ApiRoute("GET", "/tracking/threshold", tracking.get_threshold, _MANAGER, _READ),
    ApiRoute("POST", "/tracking/threshold", tracking.set_threshold, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/merge", tracking.merge, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/split", tracking.split, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/swap", tracking.swap, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/reassign", tracking.reassign, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/reject", tracking.reject, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/undo", tracking.undo, _MANAGER, _WRITE),
    ApiRoute("POST", "/tracking/redo", tracking.redo, _MANAGER, _WRITE),
    ApiRoute("GET", "/tracking/commands", tracking.list_commands, _MANAGER, _READ),
    ApiRoute("GET", "/tracking/stats", tracking.stats, _MANAGER, _READ),
    ApiRoute("GET", "/tracking/reviews", reviews.list_reviews, _MANAGER, _READ),
    ApiRoute("POST", "/tracking/reviews/{review_id}", reviews.decide, _MANAGER, _WRITE),
    ApiRoute("GET", "/areas", areas.list_areas, _VIEWER, _READ),
    ApiRoute("POST", "/areas", areas.add_area, _MANAGER, _WRITE, status=201),
    ApiRoute("GET", "/areas/{area_id}", areas.get_area, _VIEWER, _READ),
    ApiRoute("PUT", "/areas/{area_id}", areas.change_area, _MANAGER, _WRITE),
    ApiRoute("DELETE", "/areas/{area_id}", areas.remove_area, _MANAGER, _WRITE, status=204),
    ApiRoute("GET", "/farms", farms.list_farms, _VIEWER, _READ),
    ApiRoute("POST", "/farms", farms.add_farm, _ADMIN, status=201),
    ApiRoute("GET", "/farms/{farm_id}", farms.get_farm, _VIEWER, _READ),
    ApiRoute("PUT", "/farms/{farm_id}", farms.change_farm, _ADMIN),
    ApiRoute("DELETE", "/farms/{farm_id}", farms.remove_farm, _ADMIN, status=204),
    ApiRoute("GET", "/nodes", nodes.list_nodes, _MANAGER, _READ),
    ApiRoute("GET", "/models", models.list_models, _VIEWER, _READ),
    ApiRoute(
        "POST",
        "/models",
        models.upload_model,
        _ADMIN,
        status=201,
        body_bytes=lambda config: config.model_upload_bytes + OVERHEAD_BYTES,
        request_body=REQUEST_BODY,
        refuses=(404,),
    ),
    ApiRoute("GET", "/models/{model_id}", models.get_model, _VIEWER, _READ),
    ApiRoute("DELETE", "/models/{model_id}", models.remove_model, _ADMIN, status=204),
    ApiRoute("POST", "/models/{model_id}/activate", models.activate_model, _ADMIN),
    ApiRoute("POST", "/models/{model_id}/deactivate", models.deactivate_model, _ADMIN),
    ApiRoute("GET", "/audit", audit.list_audit, _ADMIN, _READ),
    *(
        ApiRoute(
            method, path, endpoint, role, scope, open_locally=local, base_path=base, media=media
        )
        # Under the base path and, where probes and Prometheus look by default, beside it.
        for base in (BASE_PATH, "")
        for method, path, endpoint, role, scope, local, media in (
            ("GET", "/healthz", health.healthz, None, None, False, ()),
            ("GET", "/readyz", health.readyz, None, None, False, ()),
            ("GET", "/metrics", health.metrics, _MANAGER, Scope.METRICS, True, _TEXT),
        )
    ),
    ApiRoute("GET", "/openapi.json", docs.openapi, None, base_path="", documented=False),
    ApiRoute("GET", "/docs", docs.docs, None, base_path="", documented=False, media=("text/html",)),
)
