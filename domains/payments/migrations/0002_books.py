from django.db import migrations


class Migration(migrations.Migration):
    """The journal is only added to, and at every commit it says what the payments' counters say."""

    dependencies = [("payments", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION payments.journal_is_kept() RETURNS trigger
            LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'The journal is append-only.'
                    USING ERRCODE = 'integrity_constraint_violation';
            END
            $$;
            CREATE TRIGGER journal_is_kept
                BEFORE UPDATE OR DELETE ON payments.payments_journalentry
                FOR EACH ROW EXECUTE FUNCTION payments.journal_is_kept();

            CREATE FUNCTION payments.check_books(checked uuid) RETURNS void
            LANGUAGE plpgsql AS $$
            DECLARE
                difference text;
            BEGIN
                SELECT format('captured %s, booked %s; refunded %s, booked %s',
                              p.captured_minor, j.taken, p.refunded_minor, j.given_back)
                  INTO difference
                  FROM payments.payments_payment p,
                       LATERAL (
                           SELECT coalesce(sum(amount_minor) FILTER (
                                      WHERE credit_account = 'CUSTOMERS'), 0) AS taken,
                                  coalesce(sum(amount_minor) FILTER (
                                      WHERE debit_account = 'CUSTOMERS'), 0) AS given_back,
                                  coalesce(bool_and(currency = p.currency), true) AS one_currency
                             FROM payments.payments_journalentry
                            WHERE payment_id = p.id
                       ) j
                 WHERE p.id = checked
                   AND (p.captured_minor <> j.taken OR p.refunded_minor <> j.given_back
                        OR NOT j.one_currency);
                IF difference IS NOT NULL THEN
                    RAISE EXCEPTION 'The books of payment % do not balance: %', checked, difference
                        USING ERRCODE = 'check_violation', CONSTRAINT = 'payment_books_balance';
                END IF;
            END
            $$;

            CREATE FUNCTION payments.booking_balances() RETURNS trigger
            LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM payments.check_books(NEW.payment_id);
                RETURN NULL;
            END
            $$;
            CREATE CONSTRAINT TRIGGER booking_balances
                AFTER INSERT ON payments.payments_journalentry
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION payments.booking_balances();

            CREATE FUNCTION payments.counters_balance() RETURNS trigger
            LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM payments.check_books(NEW.id);
                RETURN NULL;
            END
            $$;
            CREATE CONSTRAINT TRIGGER counters_balance
                AFTER UPDATE OF captured_minor, refunded_minor ON payments.payments_payment
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION payments.counters_balance();
            CREATE CONSTRAINT TRIGGER first_counters_balance
                AFTER INSERT ON payments.payments_payment
                DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW WHEN (NEW.captured_minor <> 0 OR NEW.refunded_minor <> 0)
                EXECUTE FUNCTION payments.counters_balance();
            """,
            """
            DROP TRIGGER first_counters_balance ON payments.payments_payment;
            DROP TRIGGER counters_balance ON payments.payments_payment;
            DROP TRIGGER booking_balances ON payments.payments_journalentry;
            DROP TRIGGER journal_is_kept ON payments.payments_journalentry;
            DROP FUNCTION payments.counters_balance();
            DROP FUNCTION payments.booking_balances();
            DROP FUNCTION payments.check_books(uuid);
            DROP FUNCTION payments.journal_is_kept();
            """,
        ),
    ]
