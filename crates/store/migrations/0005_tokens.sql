-- What a call is charged in tokens, once it is settled: the ledger of tokens counts them as that of money counts
-- `actual_micro`, by the same index over scope and time. Calls of before count nothing there.
ALTER TABLE model_call ADD COLUMN tokens BIGINT;
