;; A lookup whose module has 4 GiB of memory from the start, all that 32 bits can name.
;; The limit on memories must refuse it when it is loaded.
(component
  (core module $main
    (memory (export "memory") 65536)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "find") (param i32 i32) (result i32) unreachable))
  (core instance $main (instantiate $main))

  (func $find (param "user" string) (result (result (option string) (error string)))
    (canon lift (core func $main "find") (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
  (instance $lookup (export "get-address" (func $find)))
  (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup))
)
