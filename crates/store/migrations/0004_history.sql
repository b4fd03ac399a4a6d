-- One narrow row for each task that was ever attempted: an index over `attempt` and `task` for the list of tasks, kept by
-- triggers in the writer's own transaction. Sums are of attempts that have ended; what runs is read beside it.
-- `ended_ms` of a task whose last attempt runs is the largest number, so that it comes first.
CREATE TABLE history (
    task_key VARCHAR(64) PRIMARY KEY, repo_id VARCHAR(64) NOT NULL, words VARCHAR(300) NOT NULL, state VARCHAR(64) NOT NULL,
    model VARCHAR(255) NOT NULL, size VARCHAR(8), attempts BIGINT NOT NULL,
    own_tokens BIGINT NOT NULL DEFAULT 0, own_micro BIGINT NOT NULL DEFAULT 0,
    below_tokens BIGINT NOT NULL DEFAULT 0, below_micro BIGINT NOT NULL DEFAULT 0,
    tokens BIGINT GENERATED ALWAYS AS (own_tokens + below_tokens) STORED,
    cost_micro BIGINT GENERATED ALWAYS AS (own_micro + below_micro) STORED,
    took_ms BIGINT NOT NULL DEFAULT 0, started_ms BIGINT NOT NULL, claimed_ms BIGINT NOT NULL, ended_ms BIGINT NOT NULL
) WITHOUT ROWID;
-- Everything that a list filters and counts by, in each order in which it can be read.
CREATE INDEX history_by_ended_ms ON history (repo_id, ended_ms, task_key, state, model, size, own_micro, words);
CREATE INDEX history_by_attempts ON history (repo_id, attempts, task_key, ended_ms, state, model, size, words);
CREATE INDEX history_by_tokens ON history (repo_id, tokens, task_key, ended_ms, state, model, size, words);
CREATE INDEX history_by_cost_micro ON history (repo_id, cost_micro, task_key, ended_ms, state, model, size, words);
CREATE INDEX history_by_took_ms ON history (repo_id, took_ms, task_key, ended_ms, state, model, size, words);
CREATE INDEX attempt_ended ON attempt (ended_ms);
CREATE INDEX task_root ON task (root_key);

INSERT INTO history (task_key, repo_id, words, state, model, size, attempts, own_tokens, own_micro, took_ms, started_ms, claimed_ms, ended_ms)
SELECT task.task_key, task.repo_id, lower(substr(task.bead_id || ' ' || json_extract(task.body, '$.title'), 1, 300)), task.state,
    json_extract(last.body, '$.model'), (
        SELECT json_extract(body, '$.size') FROM attempt WHERE attempt.task_key = task.task_key AND ended_ms IS NOT NULL AND json_extract(body, '$.size') IS NOT NULL
        ORDER BY json_extract(body, '$.n') DESC LIMIT 1
    ), sums.attempts, sums.tokens, sums.micro, sums.took_ms, sums.started_ms,
    last.started_ms, COALESCE(last.ended_ms, 9223372036854775807)
FROM task, attempt AS last, (
    SELECT task_key, COUNT(*) AS attempts, MIN(started_ms) AS started_ms, COALESCE(SUM(ended_ms - started_ms), 0) AS took_ms,
        SUM(CASE WHEN ended_ms IS NULL THEN 0 ELSE json_extract(body, '$.tokens') END) AS tokens,
        SUM(CASE WHEN ended_ms IS NULL THEN 0 ELSE json_extract(body, '$.cost') END) AS micro
    FROM attempt GROUP BY task_key
) AS sums
WHERE sums.task_key = task.task_key AND last.attempt_id = (
    SELECT attempt_id FROM attempt WHERE attempt.task_key = task.task_key ORDER BY json_extract(body, '$.n') DESC LIMIT 1
);
UPDATE history SET below_tokens = sums.tokens, below_micro = sums.micro FROM (
    SELECT json_extract(above.value, '$.key') AS above_key, SUM(part.own_tokens) AS tokens, SUM(part.own_micro) AS micro
    FROM history AS part, task, json_each(task.body, '$.above') AS above WHERE task.task_key = part.task_key GROUP BY above_key
) AS sums WHERE sums.above_key = history.task_key;

CREATE TRIGGER history_claimed AFTER INSERT ON attempt BEGIN
    INSERT INTO history (task_key, repo_id, words, state, model, size, attempts, started_ms, claimed_ms, ended_ms)
    SELECT task_key, repo_id, lower(substr(bead_id || ' ' || json_extract(body, '$.title'), 1, 300)), state,
        json_extract(NEW.body, '$.model'), NULL, 1, NEW.started_ms, NEW.started_ms, 9223372036854775807
    FROM task WHERE task_key = NEW.task_key
    ON CONFLICT (task_key) DO UPDATE SET attempts = attempts + 1, model = excluded.model, claimed_ms = excluded.claimed_ms, ended_ms = excluded.ended_ms;
END;
-- The last attempt ends, or an attempt that has ended is charged for a call that was under way.
CREATE TRIGGER history_ended AFTER UPDATE ON attempt WHEN NEW.ended_ms IS NOT NULL BEGIN
    UPDATE history SET
        size = COALESCE(json_extract(NEW.body, '$.size'), size),
        own_tokens = own_tokens + json_extract(NEW.body, '$.tokens') - CASE WHEN OLD.ended_ms IS NULL THEN 0 ELSE json_extract(OLD.body, '$.tokens') END,
        own_micro = own_micro + json_extract(NEW.body, '$.cost') - CASE WHEN OLD.ended_ms IS NULL THEN 0 ELSE json_extract(OLD.body, '$.cost') END,
        took_ms = took_ms + CASE WHEN OLD.ended_ms IS NULL THEN NEW.ended_ms - NEW.started_ms ELSE 0 END,
        ended_ms = CASE WHEN OLD.ended_ms IS NULL THEN NEW.ended_ms ELSE ended_ms END
    WHERE task_key = NEW.task_key;
END;
-- What a sub-task costs, each task above it costs as well.
CREATE TRIGGER history_part AFTER UPDATE OF own_tokens, own_micro ON history WHEN NEW.own_tokens <> OLD.own_tokens OR NEW.own_micro <> OLD.own_micro BEGIN
    UPDATE history SET below_tokens = below_tokens + NEW.own_tokens - OLD.own_tokens, below_micro = below_micro + NEW.own_micro - OLD.own_micro
    WHERE task_key IN (SELECT json_extract(above.value, '$.key') FROM task, json_each(task.body, '$.above') AS above WHERE task.task_key = NEW.task_key);
END;
CREATE TRIGGER history_task AFTER UPDATE ON task WHEN NEW.state <> OLD.state OR json_extract(NEW.body, '$.title') <> json_extract(OLD.body, '$.title') BEGIN
    UPDATE history SET state = NEW.state, words = lower(substr(NEW.bead_id || ' ' || json_extract(NEW.body, '$.title'), 1, 300)) WHERE task_key = NEW.task_key;
END;
