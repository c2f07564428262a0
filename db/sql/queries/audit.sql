-- name: add_audit_row
INSERT INTO audit_log (user_id, username, api_key_id, farm_id, action, object_kind, object_id,
                       address, details)
VALUES (%(user_id)s, %(username)s, %(api_key_id)s, %(farm_id)s, %(action)s, %(object_kind)s,
        %(object_id)s, %(address)s, %(details)s);

-- name: audit_rows
SELECT id, at, user_id, username, api_key_id, farm_id, action, object_kind, object_id, address,
       details
FROM audit_log
WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
ORDER BY id DESC LIMIT %(limit)s;
