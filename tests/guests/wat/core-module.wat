;; A core module that names its exports like a formatter, but is no component.
;; Loading must refuse it and say that a component is wanted.
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "campanile:notifier/message-formatter@0.1.0#format-message") (param i32) (result i32) unreachable)
)
