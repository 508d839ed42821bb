"""What no text may say, in Spanish. How a phrase is written: app/domain/tone_words.py.

AEPD on disclosure to third parties and on lists of debtors; art. 20 LOPDGDD; art. 171 to 173 of
the penal code on threats and coercion; the sector's code of conduct (ANGECO) on language.
"""

from __future__ import annotations

from typing import Final

PARTS: Final = {
    "your": "(?:sus?|tus?|vuestr[oa]s?)",
    "the": "(?:{your}|l[oa]s?|el|todos? (?:sus|tus|los|el)|todas? (?:sus|tus|las|la))",
    "other": r"(?:madre|padres?|mama|papa|espos[oa]|marido|mujer|conyuge|pareja|novi[oa]|"
    r"famili(?:a|ar|ares)|parientes?|hij[oa]s?|nin[oa]s|herman[oa]s?|abuel[oa]s?|"
    r"ti[oa]s?|prim[oa]s?|"
    r"suegr[oa]s?|cunad[oa]s?|vecin\w+|jef[ea]s?|superior(?:es)?|empresa|trabajo|empleador\w*|"
    r"patron(?:a|es)?|encargad[oa]|companer\w+|colegas?|colegio|escuela|amig[oa]s?|amistades|"
    r"caser[oa]s?|arrendador\w*|conocid[oa]s|entorno|contactos|barrio|pueblo|universidad|iglesia|"
    r"parroquia|comunidad|clientes)",
    # Infinitive, future, "we" of the present: not the request to the borrower ("avisenos").
    "tell": r"(?:(?:avis|inform|llam|contact|habl|cont|comunic|notific|pregunt|visit|molest|explic|"
    r"revel|reclam|mand|mostr|ensen)(?:ar(?!nos)\w*|amos|emos|ado)|"
    r"(?:escrib|acud|recurr|dirig)(?:ir(?!nos)\w*|imos|iremos)|decir(?!nos)\w*|"
    r"dir(?:e|emos|an|a)|digamos|enviar(?!nos)\w*|(?:hacer|haremos) saber|poner\w* en contacto|"
    r"pondr\w+ en contacto|enterar\w*)",
    "learn": r"(?:sabra\w*|va\w* a saber|se va\w* a enterar|se enterar\w*|enterarse|conocera\w*|"
    r"descubrira\w*|recibira\w* (?:una |nuestra )?(?:llamada|carta|visita)|"
    r"sera\w* {one} (?:informad|avisad|notificad|contactad|llamad)\w+)",
    "goods": r"(?:casa|vivienda|piso|hogar|coche|moto|vehiculo|bienes|pertenencias|muebles|"
    r"nomina|sueldo|salario|pension|ahorros|ayudas?|hijos|propiedades|patrimonio)",
    "place": "(?:casa|domicilio|puerta|trabajo|hogar|vivienda|empresa|oficina|piso)",
    "insult": r"(?:fraude|vago|vaga|inutil|miserable|cobarde|parasito|fracasad[oa]|fracaso|"
    r"criminal|estafador\w*|timador\w*|tramposo?|tramposa|farsante|basura|mala persona|carga|"
    r"egoista|ridicul[oa]|patetic[oa]|desastre|deudora? (?:mal|habitual))",
}

THREATS: Final = r"""
o de lo contrario
ultim(?:o|a)s? (?:aviso|oportunidad|advertencia|ocasion)
aten(?:gase|te) a
(?:se|te) (?:arrepent|va\w* a arrepent)\w*
lo (?:lamentara\w*|va\w* a lamentar|pagara caro|va a pagar caro)
(?:graves|serias|habra|tendra|sufrira|a las|asum\w+ las|afront\w+ las|pag\w+ las) consecuencias
consecuencias (?:graves|serias|legales|penales|judiciales)
sabemos {two} donde {one} (?:vive\w*|trabaja\w*|esta\w*|encontrar\w*)
sabemos {few} (?:hij[oa]s|colegio|escuela|familia)
sabemos {one} (?:que|donde|cual|quien)\w* {few} (?:trabaja|vive|familia)\w*
(?:le|te|lo|la) (?:encontraremos|vigilamos|estamos vigilando|vamos a encontrar|haremos dano)
acciones (?:legales|judiciales|penales)
medidas (?:legales|judiciales|penales|serias|drasticas|contundentes|mas duras|severas|de fuerza)
tomar(?:emos)? (?:las )?medidas(?! para)
(?:proced\w+|reclam\w+) (?:legal|penal)\w*
judicial\w*
(?:llev|acab|termin|comparec|present|sent)\w+ {few} (?:a|en|ante) {one} (?:juicio|juez|jueces|
    banquillo)
(?:ir|iremos|vamos|ira) a {one} juicio
(?:habra|tendra|tendremos|espera) {one} juicio
(?:un|el) juez {one} (?:decid|dictar|orden|embarg)\w*
juicio (?:contra|monitorio|verbal|penal|ejecutiv\w+)
proceso monitorio
(?:l[eao]s?|te) {two} (?:demandar|denunciar|querell)\w*
(?:demandar|denunciar)(?:l[eao]s?|te|emos)
(?:un|una|la|nuestra) {one} (?:demanda|querella)
(?:present|interpon|pon)\w+ {two} (?:demanda|denuncia|querella)
denuncia\w* (?:contra|ante|penal)
sera {one} (?:demandad|denunciad)\w+
nuestr\w+ {one} (?:abogad|letrad|procurador)\w+
(?:pas|entreg|remit|envi|traslad|deriv)\w+ {few} (?:abogad|letrad|juridic|policia)\w*
(?:departamento|servicios?|asesoria|equipo) (?:juridic|legal)\w*
tribunal\w*
juzgado\w*
policia\w*
guardia civil
carcel\w*
prision
entre rejas
calabozo\w*
pres[oa] por
sera\w* {one} detenid\w+
seria detenid\w+
(?:le|te|lo|la) (?:va\w* a )?(?:detener|detendr|arrestar)\w*
arrest\w+
(?<!sin\s)embarg\w+
subast\w+
confisc\w+
incaut\w+
desahuci\w+
desaloj\w+
(?:ech|sac)\w+ de (?:su|tu) {goods}
(?:en|a) la calle
(?:perdera\w*|puede\w* perder|podr\w+ perder|va\w* a perder|no pierda\w*|o perdera\w*|
    arriesga\w* {one} perder) {one} (?:{your}|el|la|los|las) {one} (?:{goods}|empleo|trabajo|
    puesto|libertad|familia)
perdera\w* todo
(?:quitar|quedar|retir|arrebat)\w* {two} (?:con )?(?:{your}|el|la|los|las) {one} {goods}
quedara\w* sin {one} {goods}
bloquear\w* (?:su|la|tu)s? cuentas?
(?:visitar\w*|iremos a|presentarnos en) (?:su|tu) {place}
(?:ir|iremos|iran|ira|acudir|pasar|presentar|personar|llamar|plantar|esperar|
    visitar)\w* {two} (?:a|en|por|ante) (?:su|tu) {place}
(?:agentes?|cobrador\w*|gestor\w*|alguien|personas?) (?:ir|acud|pasar|visitar|se presentar|
    llamar)\w* {few} {place}
(?:a|en|ante) (?:su|tu) puerta
cobrador\w*
(?:ira|iran|vendra|vendran) {two} (?:a buscar|a por|por)(?:le|la|lo|te)
delito\w*
(?:arruin|destroz|destru|hundi)\w+ {two} (?:su|tu) {one} (?:vida|futuro|reputacion|credito|
    carrera|familia|nombre)
(?:expuls|deport)\w+ (?:del pais|de espana)
extranjeria
(?:nos|se) (?:veremos|vera|veria) {one} (?:obligad|forzad)\w+
no (?:nos )?(?:tiene|tienes|deja|dejas|queda|quedara) (?:otra |mas )?(?:opcion|eleccion|remedio|
    alternativa|salida)
"""

SHAMES: Final = r"""
verguenza\w*
vergonzos\w+
avergon\w+
humill\w+
deshonr\w+
deshonest\w*
mentir\w*
miente
mentid[oa]
mentiros\w+
ladron\w*
rob(?:ando|o|a) (?:nos|dinero|al|a)
estafador\w*
(?:esta|estas|es|sido) (?:un |una )?(?:estafa\w*|enganand\w+|roband\w+|timand\w+)
irresponsab\w+
moros[oa]s?
sin ?verguenza\w*
mal pagador\w*
mal[oa]s pagador\w*
(?:su|cometer|cometido|es un|es) fraude
delincuente\w*
personas? (?:honrad|decent|honest|de bien)\w*
gente (?:honrad|decent|honest|de bien)\w*
caradura\w*
(?:tiene|tienes|que|vaya) {one} (?:jeta|cara dura|morro)
gentuza
escoria
parasit\w+
cobarde\w*
vividor\w*
aprovechad[oa]s?
tramposo?s?
farsante\w*
idiota\w*
estupid\w+
(?:es|eres|sea|seas|como) (?:usted )?(?:un|una)? ?{one} {insult}
que (?:clase|tipo) de {one} (?:persona|padre|madre|hombre|mujer|marido|espos[oa]|hij[oa])
(?:que|como) {one} (?:pensaran|pensara|diran|dira|miraran|mirara) (?:de usted |
    de ti )?{the} {other}
(?:dej|par)\w+ de (?:esconder|huir|mentir|ocultar|poner excusas|hacerse|burlar)\w*
escond(?:erse|erte|iendose|iendote|ido|ida|e de)
(?:dar|de|da) la cara
excusas
(?:comport|actu|port)\w+ como (?:un|una) {one} (?:adult|hombre|mujer|persona|nin)\w*
(?:su|tu) palabra no vale
(?:falt|romp|rot)\w+ {one} (?:a )?(?:su|tu) palabra
"""

TELLS_OTHERS: Final = r"""
{tell} {few} {the} {one} {other}
{tell} {two} (?:todos|todo el mundo|toda la gente)
{the} {one} {other} {two} {learn}
(?:todos|todo el mundo|todo el barrio|todo el pueblo) {two} {learn}
que {one} se (?:entere|enteren) {one} {the} {other}
que {the} {one} {other} {one} (?:sepan?|se enteren?)
{learn} {one} {the} {other}
listas? (?:negra|publica|de {one} (?:moros|pagador|deudor|impagad|impag|mal)\w*)
publicar\w* {one} (?:su|tu|la|el|lo)
(?:su|tu) {one} (?:nombre|foto|deuda|cara) {two} (?:publicad|publicar|expuest|difundid)\w*
sera (?:publicad|difundid|expuest)\w+
hacer(?:emos)? publica
redes sociales
(?:en|por) facebook
"""

NOT_SO: Final = r"""
nunca
jamas
nadie {two}
(?:ni|no) es (?:un|una|ninguna?)
ninguna?
no (?:hay|tiene\w*|debe\w*) {one} (?:de|por)? ?que {one}
(?:no|sin)
"""

SUPPOSED: Final = r"""
si
"""

CONDITIONS: Final = r"""
si|salvo|hasta|mientras|siempre que|antes|todavia|aun|excepto
"""
