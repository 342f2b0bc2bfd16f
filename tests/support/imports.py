"""Files of a small catalogue that are imported together."""

from __future__ import annotations

from datetime import datetime

from infrastructure.database.contexts import alias_of
from infrastructure.outbox.models import OutboxMessage
from tests.support.files import bring, counts

TYPES = (
    "code,name,attribute,attribute_name,attribute_name.de,kind,unit,choices,required,level\n"
    "top,Top,material,Material,Stoff,choice,,wool=Wool|cotton=Cotton,true,product\n"
    "top,,climate,Climate,,multi_choice,,cool=Cool|hot=Hot,,product\n"
    "top,,layers,Layers,,number,,,,product\n"
    "top,,sleeve,Sleeve,,number,cm,,,variant\n"
    "top,,washable,Washable,,boolean,,,,variant\n"
)

CATEGORIES = "external_id,name,parent,name.de\nhood,Hoodies,external:tops,\ntops,Tops,,Oberteile\n"

PRODUCTS = (
    "external_id,sku,name,status,product_type,categories,attr.material,attr.climate,attr.layers,"
    "name.de,option.size,variant_attr.sleeve,variant_attr.washable,weight_g,barcode,price.EUR\n"
    "H1,H1-S,Hoodie,active,top,external:hood|tops,wool,cool|hot,2.5,Kapuze,S,61,true,300,,52.00\n"
    "H1,H1-M,,,,,,,,,M,62,false,310,4006381333931,52.00\n"
    "C1,C1,Cap,active,,external:hood,,,,,,,,,,9.90\n"
)


def events() -> list[str]:
    messages = OutboxMessage.objects.using(alias_of("products")).order_by("id")
    return list(messages.values_list("name", flat=True))


def load_all(now: datetime) -> None:
    assert counts(bring("product-types", TYPES, now=now)) == (1, 0, 0, 0)
    assert counts(bring("categories", CATEGORIES, now=now)) == (2, 0, 0, 0)
    assert counts(bring("products", PRODUCTS, now=now)) == (2, 0, 0, 0)
