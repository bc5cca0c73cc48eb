;; A hostile executor: the attempt's number says which limit it goes beyond (`guests.rs` has the list).
(module
  (import "orch:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (import "orch:kv/kv@0.1.0" "[static]bucket.open" (func $open (param i32 i32 i32)))
  (import "orch:kv/kv@0.1.0" "[method]bucket.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "orch:metrics/metrics@0.1.0" "record" (func $record (param i32 i32 f64 i32 i32 i32 i32 i32)))
  (import "orch:findings/findings@0.1.0" "report" (func $report (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "orch:tasks/tasks@0.1.0" "add" (func $add (param i32 i32)))
  (import "orch:files/files@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $later (param i64) (result i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))

  (memory (export "memory") 2)
  (memory $second 1)
  (table $table 10 funcref)
  ;; What the host hands over lies above; nothing is freed.
  (global $top (mut i32) (i32.const 8192))
  (global $calls_back (mut i32) (i32.const 0))

  ;; Answers lie at 0, those of the host at 256, a task at 1024.
  (data (i32.const 512) "limit")
  (data (i32.const 520) "refused")
  (data (i32.const 528) "kv")
  (data (i32.const 532) "shell")
  (data (i32.const 540) "m")
  (data (i32.const 544) "../outside")
  (data (i32.const 560) "a\00b")
  (data (i32.const 568) "/outside")
  (data (i32.const 580) "out/side")

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (global.get $calls_back) (then (call $say (i32.const 1))))
    (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get 3))))

  (func $say (param $bytes i32) (call $log (i32.const 2) (i32.const 0) (local.get $bytes)))

  (func $done (param $text i32) (param $bytes i32)
    (i32.store (i32.const 0) (i32.const 0))
    (i32.store (i32.const 4) (local.get $text))
    (i32.store (i32.const 8) (local.get $bytes)))

  ;; Whether the host's last answer was an error, and the error `limit`; another one is none of these guests' business.
  (func $is_over (result i32)
    (if (i32.eqz (i32.load8_u (i32.const 256))) (then (return (i32.const 0))))
    (if (i32.ne (i32.load8_u (i32.const 260)) (i32.const 3)) (then (unreachable)))
    (call $done (i32.const 512) (i32.const 5))
    (i32.const 1))

  (func $loops (loop $again (br $again)))
  (func $calls (loop $again (call $say (i32.const 0)) (br $again)))
  (func $grows
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (unreachable))
  (func $grows_second
    (loop $again (br_if $again (i32.ne (memory.grow $second (i32.const 1)) (i32.const -1))))
    (unreachable))
  (func $grows_table
    (loop $again
      (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
    (unreachable))
  (func $deeper (call $deeper))
  (func $hands_over (local $at i32)
    ;; 8192 pairs of texts of 64 KiB each, which all lie in the same place.
    (drop (memory.grow (i32.const 2)))
    (local.set $at (i32.const 131072))
    (loop $again
      (i32.store (local.get $at) (i32.const 65536))
      (i32.store offset=4 (local.get $at) (i32.const 65536))
      (i32.store offset=8 (local.get $at) (i32.const 65536))
      (i32.store offset=12 (local.get $at) (i32.const 65536))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 262144))))
    (call $record (i32.const 540) (i32.const 1) (f64.const 0) (i32.const 540) (i32.const 1)
      (i32.const 131072) (i32.const 8192) (i32.const 256)))
  (func $takes_handles (loop $again (drop (call $later (i64.const 1))) (br $again)))
  (func $floods_log (local $times i32)
    (loop $again
      (call $say (i32.const 240))
      (local.set $times (i32.add (local.get $times) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $times) (i32.const 900)))))
  (func $floods_tasks
    (i32.store (i32.const 1044) (i32.const 532))
    (i32.store (i32.const 1048) (i32.const 5))
    (loop $again (call $add (i32.const 1024) (i32.const 256)) (br_if $again (i32.eqz (call $is_over)))))
  (func $floods_findings
    (loop $again
      (call $report (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256))
      (br_if $again (i32.eqz (call $is_over)))))
  (func $floods_metrics
    (loop $again
      (call $record (i32.const 540) (i32.const 1) (f64.const 0) (i32.const 540) (i32.const 1)
        (i32.const 0) (i32.const 0) (i32.const 256))
      (br_if $again (i32.eqz (call $is_over)))))
  (func $floods_kv (local $bucket i32) (local $key i32)
    (call $open (i32.const 528) (i32.const 2) (i32.const 256))
    (if (i32.load8_u (i32.const 256)) (then (unreachable)))
    (local.set $bucket (i32.load (i32.const 260)))
    (local.set $key (i32.const 0x30303030))
    (loop $again
      (i32.store (i32.const 592) (local.get $key))
      (call $set (local.get $bucket) (i32.const 592) (i32.const 4) (i32.const 65536) (i32.const 65536) (i32.const 256))
      (local.set $key (i32.add (local.get $key) (i32.const 1)))
      (br_if $again (i32.eqz (call $is_over)))))
  (func $sleeps (call $block (call $later (i64.const 3600000000000))))
  (func $calls_back
    (global.set $calls_back (i32.const 1))
    (call $open (i32.const 540) (i32.const 1) (i32.const 256)))
  (func $must_not_write (param $path i32) (param $bytes i32)
    (call $write (local.get $path) (local.get $bytes) (i32.const 0) (i32.const 1) (i32.const 256))
    (if (i32.eqz (i32.load8_u (i32.const 256))) (then (unreachable))))
  (func $reaches_out
    (call $must_not_write (i32.const 544) (i32.const 10))
    (call $must_not_write (i32.const 560) (i32.const 3))
    (call $must_not_write (i32.const 568) (i32.const 8))
    (call $must_not_write (i32.const 580) (i32.const 8))
    (call $done (i32.const 520) (i32.const 7)))

  (func (export "orch:executor/executor@0.1.0#execute") (param $attempt i32) (result i32) (local $which i32)
    (local.set $which (i32.load offset=64 (local.get $attempt)))
    (call $done (i32.const 0) (i32.const 0))
    (if (i32.eq (local.get $which) (i32.const 1)) (then (call $loops)))
    (if (i32.eq (local.get $which) (i32.const 2)) (then (call $calls)))
    (if (i32.eq (local.get $which) (i32.const 3)) (then (call $grows)))
    (if (i32.eq (local.get $which) (i32.const 4)) (then (call $grows_second)))
    (if (i32.eq (local.get $which) (i32.const 5)) (then (call $grows_table)))
    (if (i32.eq (local.get $which) (i32.const 6)) (then (call $deeper)))
    (if (i32.eq (local.get $which) (i32.const 7)) (then (call $done (i32.const 0) (i32.const 100000))))
    (if (i32.eq (local.get $which) (i32.const 8)) (then (call $done (i32.const 0) (i32.const 1073741824))))
    (if (i32.eq (local.get $which) (i32.const 9)) (then (call $hands_over)))
    (if (i32.eq (local.get $which) (i32.const 10)) (then (call $takes_handles)))
    (if (i32.eq (local.get $which) (i32.const 11)) (then (call $floods_log)))
    (if (i32.eq (local.get $which) (i32.const 12)) (then (call $floods_tasks)))
    (if (i32.eq (local.get $which) (i32.const 13)) (then (call $floods_findings)))
    (if (i32.eq (local.get $which) (i32.const 14)) (then (call $floods_metrics)))
    (if (i32.eq (local.get $which) (i32.const 15)) (then (call $floods_kv)))
    (if (i32.eq (local.get $which) (i32.const 16)) (then (call $sleeps)))
    (if (i32.eq (local.get $which) (i32.const 17)) (then (unreachable)))
    (if (i32.eq (local.get $which) (i32.const 18)) (then (i32.store (i32.const 0) (i32.const 9))))
    (if (i32.eq (local.get $which) (i32.const 19)) (then (call $calls_back)))
    (if (i32.eq (local.get $which) (i32.const 20)) (then (call $reaches_out)))
    (i32.const 0)))
