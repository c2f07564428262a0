"""The attack list of the security bars, with the tests that carry out each attack.

Everything is done to a running server of two farms (``farmyard``), to the engine with real hostile
servers, or to the part that guards. This file holds the list and makes sure that it is complete:
what is named here exists, and what exists beside it is named here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = "tests/attacks/test_attacks_on_objects.py"
ACCOUNTS = "tests/attacks/test_attacks_on_accounts.py"
REQUESTS = "tests/attacks/test_attacks_on_requests.py"
LISTENER = "tests/attacks/test_attacks_on_the_listener.py"
ENGINE = "tests/attacks/test_attacks_on_the_engine.py"
REMOTE = "tests/attacks/test_attacks_on_remote_access.py"
SECRETS = "tests/attacks/test_attacks_for_secrets.py"
HTTP = "tests/integration/api/test_api_http.py"
STORED = "tests/integration/api/test_api_stored.py"
INSPECTION = "tests/unit/model_inspection/test_hostile_models.py"
MODELS = "tests/integration/api/test_api_models.py"
PINNED = "tests/integration/capture/test_pinned.py"

ATTACKS: Mapping[str, Sequence[tuple[str, str]]] = {
    "object-level authorisation matrix, generated from the route table": (
        (OBJECTS, "test_nobody_does_what_the_table_does_not_allow"),
        (OBJECTS, "test_objects_of_others_do_not_exist"),
        (OBJECTS, "test_bodies_and_queries_name_objects_of_ones_own_only"),
        (OBJECTS, "test_what_is_allowed_is_done_and_what_changes_is_audited"),
        (LISTENER, "test_rooms_of_others_are_closed"),
        ("tests/integration/api/test_api_routes.py",
         "test_the_application_serves_the_table_and_nothing_else"),
    ),
    "token forgeries": (
        (ACCOUNTS, "test_no_forged_token_is_taken"),
        (ACCOUNTS, "test_a_token_made_by_hand_is_taken_when_nothing_is_wrong_with_it"),
        (ACCOUNTS, "test_one_kind_of_token_is_never_another"),
        (ACCOUNTS, "test_tokens_end_with_what_they_stand_for"),
        (ACCOUNTS, "test_a_lower_role_holds_at_once"),
        (ACCOUNTS, "test_forged_media_addresses_open_nothing"),
        (ACCOUNTS, "test_a_media_address_opens_what_it_names_and_is_noted_once"),
        ("tests/unit/api/test_api_tokens.py", "test_forgeries_are_refused"),
    ),
    "refresh reuse": (
        (ACCOUNTS, "test_a_stolen_refresh_token_ends_the_whole_login"),
        (ACCOUNTS, "test_two_refreshes_at_once_are_a_theft"),
    ),
    "login flood, and answers that tell nothing": (
        (ACCOUNTS, "test_a_flood_of_logins_is_counted_before_anything_is_hashed"),
        (ACCOUNTS, "test_an_account_that_does_not_exist_costs_the_same_work"),
        (LISTENER, "test_neighbours_in_one_network_are_counted_together"),
        (REQUESTS, "test_forwarding_headers_of_strangers_mean_nothing"),
        (REQUESTS, "test_only_a_trusted_proxy_speaks_for_others"),
    ),
    "traversal: encoded, twice encoded, NUL, symbolic link, backslash, absolute": (
        (REQUESTS, "test_stored_paths_never_lead_out_of_the_media_folder"),
        (REQUESTS, "test_encoded_paths_reach_no_file"),
        (REQUESTS, "test_a_file_as_a_camera_lies_below_the_media_folder"),
    ),
    "server-side request forgery: spellings of an address, redirect, rebinding": (
        (REQUESTS, "test_no_camera_leads_into_the_network"),
        (REQUESTS, "test_fields_that_only_the_console_sets_are_refused"),
        (ENGINE, "test_an_rtsp_server_that_sends_the_reader_on_is_refused"),
        (ENGINE, "test_no_disguise_gets_a_redirect_past_the_reader"),
        (ENGINE, "test_an_ordinary_conversation_passes"),
        (ENGINE, "test_a_web_video_that_leads_inside_is_refused"),
        (ENGINE, "test_a_file_that_names_further_files_opens_none_of_them"),
        (ENGINE, "test_a_name_that_is_bound_anew_reaches_nothing"),
        (ENGINE, "test_an_encrypted_camera_is_reached_at_its_pinned_address_under_its_name"),
        (ENGINE, "test_a_server_in_the_internet_must_have_a_certificate_of_its_name"),
        (ENGINE, "test_an_rtmp_server_still_hears_its_own_name"),
        (PINNED, "test_redirects_are_refused"),
        (PINNED, "test_a_playlist_leads_nowhere_else"),
        (PINNED, "test_a_name_that_stands_for_something_else_now_is_refused"),
    ),
    "option injection": (
        (ENGINE, "test_options_come_from_the_list_only"),
        (ENGINE, "test_names_of_files_are_never_options_or_protocols"),
    ),
    "origin checks, host names of others, CORS off": (
        (REQUESTS, "test_pages_of_other_sites_change_and_read_nothing"),
        (REQUESTS, "test_a_name_bound_to_this_machine_by_others_is_refused"),
        (LISTENER, "test_a_page_of_another_site_opens_no_socket"),
        (LISTENER, "test_a_handshake_under_another_name_is_refused"),
        (LISTENER, "test_a_body_of_another_kind_changes_nothing"),
        ("tests/integration/api/test_api_remote.py",
         "test_only_the_origins_named_may_read_across"),
    ),
    "canary passwords in answers, logs, dumps, process list, events, exports, files": (
        (SECRETS, "test_no_answer_holds_a_secret"),
        (SECRETS, "test_no_line_of_the_log_holds_a_secret"),
        (SECRETS, "test_no_dump_of_the_database_holds_a_secret"),
        (SECRETS, "test_no_process_shows_a_secret"),
        (SECRETS, "test_no_event_holds_a_secret"),
        (SECRETS, "test_no_export_holds_a_secret"),
        (SECRETS, "test_no_file_below_the_media_folder_holds_a_secret"),
        (SECRETS, "test_nothing_printed_of_a_configuration_is_a_secret"),
        ("tests/unit/test_doctor.py", "test_the_table_says_what_to_do_and_no_secret"),
        ("tests/unit/test_logs.py", "test_a_known_secret_never_passes"),
    ),
    "the whole document with nasty values, no 5xx": (
        (STORED, "test_nasty_values_are_never_the_servers_fault"),
        (STORED, "test_every_route_with_a_body_is_tried_with_nasty_ones"),
        (
            "tests/integration/api/test_api_document.py",
            "test_an_operation_answers_as_the_document_says",
        ),
    ),
    "fuzzed WebSocket messages": (
        (LISTENER, "test_no_message_ends_the_server"),
        (LISTENER, "test_a_message_that_is_too_much_is_refused_and_not_repeated"),
        (LISTENER, "test_a_message_longer_than_allowed_ends_the_socket"),
        (LISTENER, "test_text_that_is_no_text_ends_the_socket"),
        (LISTENER, "test_ten_thousand_subscriptions_are_cut_short"),
        (LISTENER, "test_handshakes_are_counted_like_requests"),
    ),
    "malicious model files": (
        (INSPECTION, "test_graphs_that_mean_harm_are_refused_before_they_run"),
        (INSPECTION, "test_a_pickle_is_refused_without_being_opened"),
        (INSPECTION, "test_weights_that_are_not_sound_are_refused"),
        (INSPECTION, "test_graphs_nested_without_end_cost_only_the_child"),
        (INSPECTION, "test_a_terabyte_from_a_few_bytes_costs_only_the_child"),
        (INSPECTION, "test_the_child_has_no_environment_no_network_and_little_of_the_rest"),
        (INSPECTION, "test_whatever_happens_to_the_child_is_a_refusal"),
        (MODELS, "test_a_file_that_means_harm_is_refused_with_a_reason"),
        (MODELS, "test_a_file_over_the_limit_is_refused_and_leaves_nothing"),
        (MODELS, "test_a_body_of_unknown_length_is_stopped_at_the_limit"),
        (MODELS, "test_a_farms_own_model_does_not_exist_for_others"),
    ),
    "malicious images": (
        (REQUESTS, "test_poisoned_pictures_are_refused"),
        (REQUESTS, "test_what_hides_in_a_picture_does_not_come_back"),
    ),
    "heads, bodies and connections that cost more than they should": (
        (LISTENER, "test_a_request_that_never_ends_is_ended"),
        (LISTENER, "test_a_client_that_drips_bytes_gains_nothing"),
        (LISTENER, "test_a_long_body_that_goes_on_is_not_cut"),
        (LISTENER, "test_one_address_has_its_share_of_the_connections"),
        (LISTENER, "test_broken_and_oversized_requests_are_refused"),
        (LISTENER, "test_two_lengths_never_make_two_requests_of_one"),
        (LISTENER, "test_a_body_without_an_end_is_cut"),
        (LISTENER, "test_deep_and_long_json_is_refused"),
        (LISTENER, "test_of_a_key_that_stands_twice_every_reader_takes_the_same"),
    ),
    "names that become formulas, headers, lines of the log or markup": (
        (REQUESTS, "test_a_horse_s_name_is_no_formula"),
        (REQUESTS, "test_names_of_downloads_are_harmless"),
        (REQUESTS, "test_names_are_no_lines_of_the_log"),
        (REQUESTS, "test_names_with_control_characters_are_refused_or_shown_as_they_are"),
        (REQUESTS, "test_deep_links_into_json_answers_stay_json"),
    ),
    "remote access without TLS or with a one-time password; keys at rest": (
        (REMOTE, "test_remote_access_waits_for_a_changed_password"),
        (REMOTE, "test_remote_access_is_switched_on_served_over_tls_and_off_again"),
        (REMOTE, "test_a_certificate_needs_its_own_private_key"),
        (REMOTE, "test_a_generated_certificate_vouches_for_no_other_site"),
        (REMOTE, "test_secrets_at_rest_are_their_owners_alone"),
        ("tests/integration/api/test_api_remote.py",
         "test_the_one_time_password_must_be_changed_before_anything_else"),
    ),
}  # fmt: skip


@cache
def names_in(file: str) -> frozenset[str]:
    """Names of the tests in a file of the repository."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_is_carried_out(attack: str) -> None:
    assert ATTACKS[attack]
    for file, name in ATTACKS[attack]:
        assert name in names_in(file), f"{file} has no {name}"


def test_every_test_beside_this_one_is_in_the_list() -> None:
    listed = set.union(*({name for _, name in one} for one in ATTACKS.values()))
    for file in Path(__file__).parent.glob("test_attacks_*.py"):
        assert names_in(str(file.relative_to(ROOT))) <= listed, file.name
