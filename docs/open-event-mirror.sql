-- Run once in Open Event Server's database, as its owner, before OPEN_EVENT_MIRROR=true.
-- Give the role a password afterwards: \password stripe_linking

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stripe_linking') THEN
        CREATE ROLE stripe_linking LOGIN;
    END IF;
END
$$;

-- What the import and the look-ups read.
GRANT SELECT ON users, events, users_events_roles, roles, groups, users_groups_roles, settings,
    stripe_authorizations TO stripe_linking;
-- What the mirror writes, and nothing else.
GRANT INSERT, UPDATE, DELETE ON stripe_authorizations TO stripe_linking;
GRANT UPDATE (is_stripe_linked) ON events TO stripe_linking;

-- Open Event Server lets organizers move and change rows of this table. From now on only the mirror
-- does; rows that go with their event are let go.
CREATE FUNCTION guard_stripe_authorizations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = 'stripe_linking' OR pg_trigger_depth() > 1 THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND
        (NEW.id, NEW.event_id, NEW.stripe_user_id, NEW.stripe_publishable_key,
         NEW.stripe_secret_key, NEW.stripe_refresh_token)
        IS NOT DISTINCT FROM
        (OLD.id, OLD.event_id, OLD.stripe_user_id, OLD.stripe_publishable_key,
         OLD.stripe_secret_key, OLD.stripe_refresh_token) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'Stripe accounts are connected and disconnected by the linking service'
        USING ERRCODE = 'insufficient_privilege';
END;
$$;

CREATE TRIGGER guard_stripe_authorizations
    BEFORE INSERT OR UPDATE OR DELETE ON stripe_authorizations
    FOR EACH ROW EXECUTE FUNCTION guard_stripe_authorizations();
