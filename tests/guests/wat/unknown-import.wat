;; A lookup that wants the engine's secrets, from an interface that the contract does not have.
;; Loading must refuse it and name the import.
(component
  (import "campanile:notifier/secrets@0.1.0" (instance $secrets
    (export "read" (func (param "name" string) (result string)))))

  (core module $main
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "find") (param i32 i32) (result i32) unreachable))
  (core instance $main (instantiate $main))

  (func $find (param "user" string) (result (result (option string) (error string)))
    (canon lift (core func $main "find") (memory (core memory $main "memory")) (realloc (core func $main "realloc"))))
  (instance $lookup (export "get-address" (func $find)))
  (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup))
)
