;; A lookup that wants the folders it may open, from WASI.
;; Loading must refuse it and name the import, or grant it with an empty list: a guest sees no files in any case.
(component
  (type $descriptor-owner (instance (export "descriptor" (type (sub resource)))))
  (import "wasi:filesystem/types@0.2.0" (instance $types (type $descriptor-owner)))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $own (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $own) string)))))))

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
