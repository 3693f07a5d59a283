;; A lookup whose module has a table of 10 million elements from the start: 80 MB outside every limit on memories.
;; The limit on table elements must refuse it when it is loaded.
(component
  (core module $main
    (memory (export "memory") 1)
    (table 10000000 funcref)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "find") (param i32 i32) (result i32) unreachable))
  (core instance $main (instantiate $main))

  (func $find (param "user" string) (result (result (option string) (error string)))
    (canon lift (core func $main "find") (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
  (instance $lookup (export "get-address" (func $find)))
  (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup))
)
