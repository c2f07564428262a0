-- name: user_by_name
SELECT id, username, password_hash, role, farm_id, enabled, must_change_password, created_at,
       last_login_at, version
FROM users WHERE username = %(username)s;

-- name: user_by_id
SELECT id, username, password_hash, role, farm_id, enabled, must_change_password, created_at,
       last_login_at, version
FROM users WHERE id = %(user_id)s;

-- name: users_of_farm
SELECT id, username, password_hash, role, farm_id, enabled, must_change_password, created_at,
       last_login_at, version
FROM users
WHERE (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s) AND username > %(after)s
ORDER BY username LIMIT %(limit)s;

-- name: add_user
INSERT INTO users (username, password_hash, role, farm_id, must_change_password)
VALUES (%(username)s, %(password_hash)s, %(role)s, %(farm_id)s, %(must_change_password)s)
ON CONFLICT (username) DO NOTHING
RETURNING id, username, password_hash, role, farm_id, enabled, must_change_password, created_at,
          last_login_at, version;

-- name: add_first_admin
INSERT INTO users (username, password_hash, role, must_change_password)
SELECT %(username)s, %(password_hash)s, 'admin', true
WHERE NOT EXISTS (SELECT FROM users)
ON CONFLICT (username) DO NOTHING
RETURNING id;

-- name: lock_first_account
SELECT pg_advisory_xact_lock(hashtext('barnhand first account'));

-- name: any_user
SELECT EXISTS (SELECT FROM users);

-- name: update_user
UPDATE users SET role = %(role)s, farm_id = %(farm_id)s, enabled = %(enabled)s,
                 version = version + 1
WHERE id = %(user_id)s AND version = %(version)s
RETURNING id, username, password_hash, role, farm_id, enabled, must_change_password, created_at,
          last_login_at, version;

-- name: lock_admins
SELECT id FROM users WHERE role = 'admin' AND enabled AND farm_id IS NULL ORDER BY id FOR UPDATE;

-- name: remove_user
DELETE FROM users WHERE id = %(user_id)s RETURNING id;

-- name: set_password
UPDATE users SET password_hash = %(password_hash)s,
                 must_change_password = %(must_change_password)s, version = version + 1
WHERE id = %(user_id)s RETURNING id;

-- name: rehash_password
UPDATE users SET password_hash = %(new_hash)s
WHERE id = %(user_id)s AND password_hash = %(old_hash)s;

-- name: mark_login
UPDATE users SET last_login_at = now() WHERE id = %(user_id)s;

-- name: open_family
INSERT INTO refresh_families (user_id) VALUES (%(user_id)s) RETURNING id;

-- name: add_refresh_token
INSERT INTO refresh_tokens (token_hash, family_id, expires_at)
VALUES (%(token_hash)s, %(family_id)s, %(expires_at)s);

-- name: use_refresh_token
UPDATE refresh_tokens AS t SET used_at = now()
FROM refresh_families AS f
WHERE t.token_hash = %(token_hash)s AND f.id = t.family_id
  AND t.used_at IS NULL AND t.expires_at > now() AND f.revoked_at IS NULL
RETURNING f.id, f.user_id;

-- name: refresh_token_state
SELECT f.id, f.user_id, t.used_at IS NOT NULL, f.revoked_at IS NOT NULL
FROM refresh_tokens AS t JOIN refresh_families AS f ON f.id = t.family_id
WHERE t.token_hash = %(token_hash)s;

-- name: revoke_family
UPDATE refresh_families SET revoked_at = now(), revoked_because = %(because)s
WHERE id = %(family_id)s AND revoked_at IS NULL;

-- name: revoke_families_of_user
UPDATE refresh_families SET revoked_at = now(), revoked_because = %(because)s
WHERE user_id = %(user_id)s AND revoked_at IS NULL
  AND (%(except_family_id)s::uuid IS NULL OR id <> %(except_family_id)s);

-- name: forget_expired_families
DELETE FROM refresh_families AS f
WHERE NOT EXISTS (
    SELECT FROM refresh_tokens AS t WHERE t.family_id = f.id AND t.expires_at > now()
) AND f.created_at < now() - interval '1 day';

-- name: session_user
SELECT u.id, u.username, u.password_hash, u.role, u.farm_id, u.enabled, u.must_change_password,
       u.created_at, u.last_login_at, u.version
FROM users AS u JOIN refresh_families AS f ON f.user_id = u.id
WHERE u.id = %(user_id)s AND f.id = %(family_id)s AND f.revoked_at IS NULL AND u.enabled;

-- name: add_api_key
INSERT INTO api_keys (user_id, name, key_hash, scopes, expires_at)
VALUES (%(user_id)s, %(name)s, %(key_hash)s, %(scopes)s, %(expires_at)s)
RETURNING id, user_id, name, scopes, created_at, expires_at, last_used_at;

-- name: api_keys_of_user
SELECT id, user_id, name, scopes, created_at, expires_at, last_used_at
FROM api_keys WHERE user_id = %(user_id)s AND revoked_at IS NULL ORDER BY created_at, id;

-- name: revoke_api_key
UPDATE api_keys SET revoked_at = now()
WHERE id = %(key_id)s AND user_id = %(user_id)s AND revoked_at IS NULL RETURNING id;

-- name: api_key_by_hash
SELECT id, user_id, name, scopes, created_at, expires_at, last_used_at
FROM api_keys
WHERE key_hash = %(key_hash)s AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > now());

-- name: mark_api_key_used
UPDATE api_keys SET last_used_at = now()
WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
