-- Who and what is looked for from the newest record back: each of these leads to one actor's or one act's records in their order.
CREATE INDEX audit_by_actor ON audit (actor, n);
CREATE INDEX audit_by_act ON audit (act, n);
