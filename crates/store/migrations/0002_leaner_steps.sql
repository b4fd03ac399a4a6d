-- Steps of an attempt are found by their own key, which begins with the attempt's.
DROP INDEX step_attempt;
ALTER TABLE step DROP COLUMN attempt_id;
