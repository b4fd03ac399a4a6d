-- Alerts: a row for each incident, the deliveries to receivers, what the rules remember, and how far events were read.
CREATE TABLE alert (incident_id VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, rule VARCHAR(64) NOT NULL, since_ms BIGINT NOT NULL, ended_ms BIGINT, body TEXT NOT NULL);
CREATE INDEX alert_since ON alert (repo_id, since_ms);
CREATE INDEX alert_open ON alert (repo_id) WHERE ended_ms IS NULL;
CREATE TABLE outbox (webhook_id VARCHAR(128) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, incident_id VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, created_ms BIGINT NOT NULL, body TEXT NOT NULL);
CREATE INDEX outbox_created ON outbox (repo_id, created_ms);
CREATE INDEX outbox_incident ON outbox (incident_id);
CREATE INDEX outbox_queued ON outbox (repo_id) WHERE state = 'queued';
CREATE TABLE alerter (repo_id VARCHAR(64) PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE cursor_of_events (cursor_id VARCHAR(160) PRIMARY KEY, body TEXT NOT NULL);
