-- Sweeps take what is due stream by stream: in the order of the index they stop at their limit, without it they sort all that is due.
DROP INDEX marks_by_due;
CREATE INDEX marks_by_due ON marks (due_us, stream_key) WHERE sweep IS NULL;
