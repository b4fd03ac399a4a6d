-- The money of a root task, what keeps a repository's tasks from starting, and what people ask of its engine.
CREATE TABLE purse (root_key VARCHAR(64) PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE gate (repo_id VARCHAR(64) PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE control (id VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, at_ms BIGINT NOT NULL, done_ms BIGINT, body TEXT NOT NULL);
CREATE INDEX control_open ON control (repo_id) WHERE done_ms IS NULL;
