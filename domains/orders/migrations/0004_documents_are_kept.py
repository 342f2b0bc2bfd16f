from django.db import migrations


class Migration(migrations.Migration):
    """Invoices and credit notes are neither changed nor deleted, by anybody, and no invoice is
    credited with more than it says."""

    dependencies = [("orders", "0003_history_is_kept")]

    operations = [
        migrations.RunSQL(
            """
            CREATE FUNCTION orders.orders_documents_are_kept() RETURNS trigger
            LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'An invoice or credit note is never changed, nor deleted.'
                    USING ERRCODE = 'integrity_constraint_violation';
            END
            $$;
            CREATE TRIGGER orders_documents_are_kept
                BEFORE UPDATE OR DELETE ON orders.orders_document
                FOR EACH ROW EXECUTE FUNCTION orders.orders_documents_are_kept();
            CREATE TRIGGER orders_document_lines_are_kept
                BEFORE UPDATE OR DELETE ON orders.orders_documentline
                FOR EACH ROW EXECUTE FUNCTION orders.orders_documents_are_kept();

            CREATE FUNCTION orders.orders_credits_fit() RETURNS trigger
            LANGUAGE plpgsql AS $$
            DECLARE
                invoice orders.orders_document%ROWTYPE;
                credited bigint;
            BEGIN
                -- Credits of one invoice wait for each other here.
                SELECT * INTO invoice FROM orders.orders_document
                    WHERE id = NEW.invoice_id FOR NO KEY UPDATE;
                SELECT coalesce(sum(gross_minor), 0) INTO credited FROM orders.orders_document
                    WHERE invoice_id = NEW.invoice_id AND id <> NEW.id;
                IF invoice.kind IS DISTINCT FROM 'INVOICE'
                    OR invoice.order_id <> NEW.order_id
                    OR invoice.currency <> NEW.currency
                    OR credited + NEW.gross_minor > invoice.gross_minor
                THEN
                    RAISE EXCEPTION 'Credit note % does not fit invoice %.',
                        NEW.number, invoice.number
                        USING ERRCODE = 'integrity_constraint_violation';
                END IF;
                RETURN NEW;
            END
            $$;
            CREATE TRIGGER orders_credits_fit
                BEFORE INSERT ON orders.orders_document
                FOR EACH ROW WHEN (NEW.kind = 'CREDIT_NOTE')
                EXECUTE FUNCTION orders.orders_credits_fit();
            """,
            """
            DROP TRIGGER orders_credits_fit ON orders.orders_document;
            DROP FUNCTION orders.orders_credits_fit();
            DROP TRIGGER orders_document_lines_are_kept ON orders.orders_documentline;
            DROP TRIGGER orders_documents_are_kept ON orders.orders_document;
            DROP FUNCTION orders.orders_documents_are_kept();
            """,
        ),
    ]
