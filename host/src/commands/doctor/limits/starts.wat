;; An executor that works without end before anybody calls it.
(module
  (memory (export "memory") 1)
  (func $works (loop $again (br $again)))
  (start $works)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "orch:executor/executor@0.1.0#execute") (param i32) (result i32) (i32.const 0)))
