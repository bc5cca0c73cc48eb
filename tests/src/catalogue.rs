//! The catalogue of attacks on trust: every id, what it is, and which tests show it besides the folders of defects.
//!
//! In -> out: ids -> [`ATTACKS`], [`ELSEWHERE`], [`NOT_YET`]; with the recipes the table `docs/attacks.md`.
//! Invariant: an id is shown by a folder or a test, or stands in [`NOT_YET`] with the reason, never both.
//! Not here: holding the lists against folders and sources (`tests/packages/catalogue.rs`).

use std::fmt::Write as _;

/// Id and what it is, in the order of the catalogue.
pub const ATTACKS: &[(&str, &str)] = &[
    ("S1", "any byte of envelope, payload or signature is changed"),
    ("S2", "`S` of a signature is not reduced"),
    ("S3", "the key is a point of small order"),
    ("S4", "`R` of a signature is a point of small order"),
    ("S5", "key or `R` is not in its one encoding"),
    ("S6", "the key has a part in the small subgroup"),
    ("S7", "signature of another length, or in another base64"),
    ("S8", "an envelope of another payload type"),
    ("S9", "a statement of another predicate type"),
    ("S10", "a good signature over other subjects"),
    ("S11", "a file more than the subjects"),
    ("S12", "no signature, or an empty list of them"),
    ("S13", "signatures without number"),
    ("S14", "a good signature beside a bad one, in either order"),
    ("S15", "the envelope says which algorithm to use"),
    ("S16", "a signed payload that is none"),
    ("K1", "one key signs twice"),
    ("K2", "one key under two ids"),
    ("K3", "an id in another case, cut off, or of somebody else"),
    ("K4", "a threshold of zero, or above the number of keys"),
    ("K5", "a publisher's key certifies, a certifier's key publishes"),
    ("K6", "a publisher of `acme/` signs for `acme-evil/`"),
    ("K7", "a key that expired or was taken back"),
    ("K8", "delegations in a circle"),
    ("K9", "a root that skips a version or is signed by one side only"),
    ("K10", "a root that was not verified is trusted after a restart"),
    ("K11", "an unknown role or field"),
    ("T1", "the clock goes back"),
    ("T2", "expired, at the exact second"),
    ("T3", "old news are shown for ever"),
    ("T4", "an older version, list or certificate is put back"),
    ("T5", "a number or time so high that nothing can follow it"),
    ("T6", "an update that fails moves the stored state"),
    ("P1", "a name that is a path, or another name to another system"),
    ("P2", "a link, pipe, socket or device in the place of a file"),
    ("P3", "a version or id that leads out of its folder"),
    ("P4", "a file that nobody declared"),
    ("P5", "a declared file that is not there"),
    ("P6", "a file that is huge, sparse or grows"),
    ("P7", "an archive that two readers unpack differently"),
    ("P8", "an archive with a lying size"),
    ("J1", "a key twice, also by an escape"),
    ("J2", "nesting without end"),
    ("J3", "numbers that readers read differently"),
    ("J4", "byte order mark, UTF-16, half a character"),
    ("J5", "an unknown field"),
    ("J6", "a schema that would be fetched"),
    ("J7", "a text that makes a pattern run for ever"),
    ("W1", "WebAssembly text"),
    ("W2", "a core module in the place of a component"),
    ("W3", "bytes after the end"),
    ("W4", "a second component after the first"),
    ("W5", "an import that nobody declared, also inside or under another spelling"),
    ("W6", "code that runs at the start"),
    ("W7", "memories: too large, too many, of 64 bits, shared"),
    ("W8", "tables, exports and structure without number"),
    ("W9", "custom sections that say or hide something"),
    ("W10", "WebAssembly that the engine does not have"),
    ("W11", "another world than the role's"),
    ("W12", "the list of dependencies in the first module only"),
    ("C1", "a required check is absent"),
    ("C2", "a check was skipped, failed, broke off or timed out"),
    ("C3", "a check looked at nothing"),
    ("C4", "more warnings than allowed"),
    ("C5", "a certificate for other bytes"),
    ("C6", "a certificate under another list of checks"),
    ("C7", "a certifier's version or check that does not count any more"),
    ("C8", "a tool crashes, is killed or cut off"),
    ("C9", "a database of advisories that is too old, or older than the last one"),
    ("C10", "a summary that says more than the checks"),
    ("C11", "facts that are not the component's"),
    ("C12", "a certificate for fewer permissions"),
    ("R1", "files are swapped between check and use"),
    ("R2", "native code on disk is poisoned"),
    ("R3", "native code is found by a name that the package says"),
    ("R4", "a verdict is kept past its end"),
    ("R5", "evidence is made without the checks"),
    ("R6", "taken back while it runs"),
    ("R7", "an upgrade asks for more"),
    ("R8", "a switch for developers works in a release build"),
    ("R9", "a variable, or a file of the working folder, changes what is trusted"),
    ("L1", "a proof for another leaf of the log"),
    ("L2", "a checkpoint of another log"),
    ("L3", "a witness is missing"),
    ("L4", "a checkpoint of a forked log"),
    ("L5", "a smaller tree than the stored one"),
];

/// Tests that show an id without a folder, or besides one.
pub const ELSEWHERE: &[(&str, &[&str])] = &[
    (
        "S1",
        &[
            "any_changed_byte_of_any_file_is_refused",
            "no_byte_can_change",
            "no_byte_of_any_file_of_a_reference_package_can_change",
        ],
    ),
    ("S2", &["accepts_every_valid_and_no_invalid_signature_of_wycheproof"]),
    ("S3", &["accepts_one_of_the_914_edge_cases_of_cctv", "points_of_small_or_mixed_order_are_no_keys"]),
    ("S4", &["accepts_one_of_the_914_edge_cases_of_cctv"]),
    ("S5", &["points_of_small_or_mixed_order_are_no_keys"]),
    ("S6", &["the_check_for_torsion_refuses_what_strict_verifying_lets_through"]),
    ("S7", &["base64_has_one_form"]),
    ("S8", &["an_envelope_is_for_its_key_and_its_type"]),
    ("S11", &["a_release_names_each_file_once_and_no_other"]),
    ("S14", &["a_release_has_one_signature"]),
    ("K5", &["a_key_is_used_for_what_it_was_made_for", "a_publishers_key_certifies_nothing"]),
    ("K6", &["a_publisher_owns_whole_namespaces_only"]),
    ("T2", &["refuses_by_the_certificate"]),
    ("T4", &["an_older_version_than_the_approved_one_is_taken_only_when_that_is_said"]),
    ("P1", &["a_file_has_one_name", "an_entry_of_the_manifest_is_one_of_four_names"]),
    ("P2", &["only_regular_files_are_read_whatever_stands_in_their_place"]),
    ("P3", &["an_id_or_version_is_never_a_path"]),
    ("P4", &["refuses_by_the_files"]),
    ("P6", &["a_file_that_grows_is_read_up_to_its_limit"]),
    ("P7", &["no_byte_of_an_archive_can_be_another_one", "what_no_package_has_is_refused"]),
    ("P8", &["a_size_that_lies_is_refused_before_anything_is_copied"]),
    ("J1", &["refuses_what_readers_read_differently"]),
    ("J7", &["long_texts_do_not_keep_the_schema_busy"]),
    ("W1", &["other_bytes_are_called_by_what_they_are"]),
    ("W5", &["components_inside_import_nothing_that_no_host_offers"]),
    ("W6", &["code_that_runs_at_the_start_has_the_limits_of_a_call"]),
    ("W7", &["memories_and_tables_are_plain_and_bounded"]),
    ("W9", &["custom_sections_are_those_of_the_list"]),
    ("C2", &["refuses_by_the_certificate"]),
    ("C4", &["a_required_check_warns_within_its_budget_or_not_at_all"]),
    ("C8", &["a_child_that_does_not_end_well_is_an_error", "nothing_is_certified_when_children_crash"]),
    ("C11", &["every_fact_that_differs_is_named"]),
    (
        "R1",
        &[
            "a_package_that_changes_under_a_child_is_an_error",
            "what_ran_is_what_was_verified_however_files_are_swapped",
        ],
    ),
    (
        "R2",
        &[
            "a_changed_byte_anywhere_is_not_believed_and_deleted",
            "native_code_of_another_key_component_or_engine_is_not_believed",
            "native_code_that_is_swapped_while_it_is_loaded_never_runs",
            "poisoned_native_code_is_compiled_anew_and_the_right_code_runs",
            "what_is_no_regular_file_is_not_followed_nor_waited_for_and_deleted",
        ],
    ),
    ("R3", &["native_code_is_found_by_the_digest_of_the_bytes"]),
    (
        "R4",
        &[
            "a_folder_of_the_operator_that_cannot_be_read_any_more_withdraws_everything",
            "kept_native_code_outlives_no_certificate",
        ],
    ),
    ("R5", &["evidence_is_made_by_admission_only"]),
    ("R6", &["a_denied_plugin_ends_what_it_does_and_is_not_called_again_until_the_denial_is_lifted"]),
    ("R7", &["refuses_by_what_the_operator_says"]),
    (
        "R8",
        &[
            "switches_for_developers_do_not_build_without_debug_assertions",
            "no_command_has_a_switch_that_skips_a_check",
        ],
    ),
    (
        "R9",
        &[
            "nothing_around_a_workspace_makes_a_stranger_trusted",
            "the_host_reads_no_other_variables_than_these",
        ],
    ),
    // Of trust roots, lists and what a host has seen.
    ("S1", &["s1_no_byte_of_root_freshness_or_list_can_change"]),
    ("S7", &["s7_a_signature_has_64_bytes_and_one_spelling"]),
    ("S8", &["s8_an_envelope_of_one_purpose_counts_for_no_other"]),
    ("S9", &["s9_the_type_inside_is_the_wanted_one"]),
    ("S10", &["s10_s11_a_signature_is_for_these_files_and_all_of_them"]),
    ("S12", &["s12_s13_there_is_a_signature_and_at_most_sixteen"]),
    ("S14", &["s14_every_signature_holds_wherever_it_stands"]),
    ("S15", &["s15_no_field_says_how_to_verify"]),
    ("S16", &["s16_a_payload_that_is_none_refuses_after_a_good_signature"]),
    ("K1", &["k1_a_signature_counts_once"]),
    ("K2", &["k2_k3_a_key_has_one_id"]),
    ("K4", &["k4_every_roles_threshold_can_be_met_and_is_not_zero"]),
    ("K5", &["k5_a_publisher_certifies_nothing"]),
    ("K6", &["k6_a_prefix_ends_at_a_part_and_the_longest_is_the_only_one"]),
    ("K7", &["k7_keys_count_from_their_first_second_to_their_last"]),
    ("K8", &["k8_only_an_issuer_delegates"]),
    (
        "K9",
        &[
            "k9_a_root_follows_the_one_before_and_both_agree",
            "k9_a_host_may_begin_with_a_later_root_whose_signers_have_left",
            "k9_several_roots_are_each_held_against_the_one_before_and_the_last_must_be_in_force",
        ],
    ),
    ("K10", &["k10_a_root_that_was_put_in_place_is_not_the_one_that_was_verified"]),
    ("K11", &["k11_unknown_roles_and_fields_are_refused"]),
    ("T1", &["t1_a_clock_that_went_back_refuses"]),
    ("T2", &["t2_each_end_belongs_to_the_time_before_it"]),
    ("T3", &["t3_an_old_freshness_document_is_fresh_then_in_grace_then_stale"]),
    ("T4", &["t4_nothing_older_than_what_was_seen_is_taken"]),
    ("T5", &["t5_numbers_are_not_used_up_and_a_new_root_starts_anew"]),
    ("T6", &["t6_what_fails_moves_nothing_and_t1_a_new_root_sets_the_clock_right"]),
    ("C7", &["c7_certificates_of_a_tool_or_of_one_of_its_checks_are_taken_back"]),
    ("R4", &["t3_r4_a_kept_anchor_ages_and_every_report_says_so"]),
    ("W12", &["every_module_says_what_it_is_made_of"]),
    (
        "C9",
        &["an_old_database_and_one_from_the_future_are_refused", "what_was_known_once_cannot_be_taken_away"],
    ),
    ("R6", &["r6_a_running_plugin_is_killed_by_a_kill_and_by_nothing_else"]),
];

/// Ids that no format or program of today can meet, and why.
pub const NOT_YET: &[(&str, &str)] = &[
    ("C6", "a certificate names no list: the host applies its own"),
    ("L1", "no transparency log"),
    ("L2", "no transparency log"),
    ("L3", "no transparency log"),
    ("L4", "no transparency log"),
    ("L5", "no transparency log"),
];

/// The table for people. `folders`: of an id, sorted.
pub fn table(folders: impl Fn(&str) -> Vec<String>) -> String {
    let mut text = String::from(
        "# Attacks\n\nEvery attack of the catalogue, the folders of `tests/packages/` that show it and the tests that do. Written by\n\
         `BLESS=1 cargo test -p orch-tests --test all packages::` from `tests/src/catalogue.rs` and the recipes; a test compares.\n\
         `docs/threats.md` says what stops each.\n\n| Id | Attack | Packages | Tests |\n|---|---|---|---|\n",
    );
    let listed =
        |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for (id, what) in ATTACKS {
        let tests: Vec<String> = (ELSEWHERE.iter().filter(|(found, _)| found == id))
            .flat_map(|(_, tests)| tests.iter().map(|test| (*test).to_owned()))
            .collect();
        let tests = match NOT_YET.iter().find(|(found, _)| found == id) {
            Some((_, why)) => format!("not yet: {why}"),
            None => listed(&tests),
        };
        let row = writeln!(text, "| {id} | {what} | {} | {tests} |", listed(&folders(id)));
        row.unwrap();
    }
    text
}
