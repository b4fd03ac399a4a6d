-- All tries of a call are found by their own key, which begins with the call's.
DROP INDEX model_call_call;
ALTER TABLE model_call DROP COLUMN call_id;
ALTER TABLE model_call DROP COLUMN attempt_id;
-- An attempt is written many times before it ends: only then does it come into this index.
DROP INDEX attempt_ended;
CREATE INDEX attempt_ended ON attempt (ended_ms) WHERE ended_ms IS NOT NULL;
