-- The list of tasks is written by the store, in the transaction of the rows that it is made from: once for each task and
-- batch, where triggers wrote it several times.
DROP TRIGGER history_claimed;
DROP TRIGGER history_ended;
DROP TRIGGER history_part;
DROP TRIGGER history_task;
