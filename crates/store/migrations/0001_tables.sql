-- The columns beside `body` are an index over it: `body` is the row, as JSON. One function writes both.
CREATE TABLE process (boot_id VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, alive BIGINT NOT NULL, lease_until_ms BIGINT NOT NULL, body TEXT NOT NULL);
CREATE TABLE task (task_key VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, bead_id VARCHAR(255) NOT NULL, root_key VARCHAR(64) NOT NULL, state VARCHAR(64) NOT NULL, until_ms BIGINT, updated_ms BIGINT NOT NULL, body TEXT NOT NULL);
CREATE INDEX task_repo ON task (repo_id);
CREATE TABLE claim (task_key VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, boot_id VARCHAR(64) NOT NULL, attempt_id VARCHAR(64) NOT NULL, body TEXT NOT NULL);
CREATE TABLE attempt (attempt_id VARCHAR(64) PRIMARY KEY, task_key VARCHAR(64) NOT NULL, root_key VARCHAR(64) NOT NULL, status VARCHAR(64), started_ms BIGINT NOT NULL, ended_ms BIGINT, body TEXT NOT NULL);
CREATE INDEX attempt_task ON attempt (task_key);
CREATE TABLE step (step_id VARCHAR(128) PRIMARY KEY, attempt_id VARCHAR(64) NOT NULL, body TEXT NOT NULL);
CREATE INDEX step_attempt ON step (attempt_id);
CREATE TABLE model_call (try_id VARCHAR(128) PRIMARY KEY, call_id VARCHAR(128) NOT NULL, attempt_id VARCHAR(64) NOT NULL, scope VARCHAR(128) NOT NULL, state VARCHAR(16) NOT NULL, created_ms BIGINT NOT NULL, settled_ms BIGINT, actual_micro BIGINT, body TEXT NOT NULL);
CREATE INDEX model_call_call ON model_call (call_id);
CREATE INDEX model_call_settled ON model_call (scope, settled_ms, actual_micro);
CREATE INDEX model_call_open ON model_call (scope) WHERE state = 'open';
CREATE TABLE effect (effect_key VARCHAR(128) PRIMARY KEY, task_key VARCHAR(64) NOT NULL, kind VARCHAR(16) NOT NULL, done_ms BIGINT, body TEXT NOT NULL);
CREATE TABLE child (child_id VARCHAR(128) PRIMARY KEY, boot_id VARCHAR(64) NOT NULL, ended_ms BIGINT, body TEXT NOT NULL);
CREATE INDEX child_running ON child (boot_id) WHERE ended_ms IS NULL;
CREATE TABLE ledger_head (scope VARCHAR(128) PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE event (boot_id VARCHAR(64) NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, kind VARCHAR(64) NOT NULL, task_key VARCHAR(64), attempt_id VARCHAR(64), body TEXT NOT NULL, PRIMARY KEY (boot_id, seq));
CREATE INDEX event_at ON event (at_ms);
