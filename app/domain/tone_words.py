"""The phrases that the tone check blocks, one on each line, by what is wrong with them.

Written without accents and case, as the check reads a text; a space stands for any run of blanks
and punctuation. English, Spanish, Polish. Words that a fair text needs as well ("fraud", "visit")
are narrowed to the use that is not fair: every list has examples of both in the tests.
"""

from __future__ import annotations

from typing import Final

THREATS: Final = r"""
or else
last (?:chance|warning)
final warning
you (?:will|ll) regret
you will be sorry
we know where you (?:live|work)
(?:take|begin|start|face|initiate) legal (?:action|steps|proceedings)
su(?:e|ed|ing) you
(?:take|drag|see) you (?:to|in) court
arrest(?:ed)?
police
(?:go|sent|send you) to (?:jail|prison)
prosecut\w+
criminal\w*
bailiffs?
seiz(?:e|ed|ing|ure)
garnish\w*
repossess\w*
evict\w*
(?:freeze|block|empty) your (?:bank )?accounts?
(?:visit|come to) your (?:home|house)
ruin your (?:credit|life|name|future)
deport\w*
immediately or
you have no choice
force you
(?:face|serious|severe|be) (?:the )?consequences
o de lo contrario
ultim(?:o|a) (?:aviso|oportunidad|advertencia)
atengase
se arrepentira
(?:graves|serias|habra|tendra|sufrira|a las) consecuencias
sabemos donde (?:vive|trabaja)
acciones legales
medidas (?:legales|judiciales)
via judicial
l[ea] (?:demandar|denunciar)\w*
(?:demandar|denunciar)l[ea]
tribunal\w*
juzgado\w*
policia
carcel
prision
(?:sera|seria) detenid\w+
embarg\w+
desahuci\w+
bloquear\w* (?:su|la|tu) cuenta
(?:visitar\w*|iremos a|presentarnos en) su (?:casa|domicilio|trabajo)
delito
no tiene (?:otra )?(?:opcion|eleccion)
ostatni(?:e|a)? (?:ostrzezenie|szansa|wezwanie)
pozaluje\w*
(?:powazn|przykr|ponies|surow)\w+ konsekwencj\w+
wiemy gdzie (?:mieszka\w*|pracuje\w*)
krok\w* prawn\w+
droge sadowa
do sadu
pozw(?:iemy|ac|em)
komornik\w*
egzekucj\w+
policj\w+
wiezieni\w+
aresz\w+
prokurat\w+
przestepstw\w+
zajeci\w+ (?:kont|wynagrodz|pensj|mieni|majatk|komornicz)\w*
zajmiemy
eksmisj\w+
zablokuj\w+ (?:twoje |panskie )?kont\w+
(?:przyjedziemy|przyjdziemy) do (?:ciebie|pani|pana|domu|pracy)
odwiedzimy (?:cie|pania|pana|dom)
w przeciwnym razie
nie masz wyboru
"""

SHAMES: Final = r"""
shame\w*
asham\w+
embarrass\w*
disgrac\w+
dishonest\w*
liars?
lying
thie(?:f|ves)
steal\w*
cheat\w*
fraudsters?
your fraud
commit\w* fraud
deadbeats?
irresponsib\w+
reckless
careless
lazy
immoral
bad (?:payer|debtor)s?
delinquents?
defaulters?
you promised and
decent pe(?:ople|rson)
honest pe(?:ople|rson)
verguenza
vergonzos\w+
avergon\w+
mentiros\w+
ladron\w*
estafador\w*
irresponsab\w+
moros[oa]s?
sinverguenza\w*
mal pagador\w*
(?:su|cometer|cometido) fraude
delincuente\w*
personas? (?:honrad|decent)\w+
caradura
wstyd\w*
hanb\w+
zlodziej\w*
oszukuj\w+
(?:jest|jestes) oszust\w+
klamc\w+
klamst\w+
nieuczciw\w+
nieodpowiedzialn\w+
leniw\w+
nierzeteln\w+
uczciw(?:i|y) (?:ludzie|czlowiek)
"""

TELLS_OTHERS: Final = r"""
(?:tell|inform|contact|call|notify|write to|visit|ask) your (?:boss|employer|work\w*|landlord)
(?:tell|inform|contact|call|notify|write to|visit|ask) your (?:family|parents|wife|husband)
(?:tell|inform|contact|call|notify|write to|visit|ask) your (?:spouse|partner|relatives?)
(?:tell|inform|contact|call|notify|write to|visit|ask) your (?:neighbou?rs?|friends?|colleagues?)
your (?:boss|employer|family) (?:will|may|might) (?:know|learn|hear|find)
your (?:neighbou?rs?|friends?|colleagues?) (?:will|may|might) (?:know|learn|hear|find)
publish (?:it|this|your (?:name|debt))
(?:post|make) (?:it|this|your (?:name|debt)) (?:public|online)
public list
list of debtors
blacklist\w*
on (?:facebook|social media)
(?:avisar|informar|llamar|contactar|escribir|decir)\w* (?:a|con) su (?:jefe|empresa|trabajo)
(?:avisar|informar|llamar|contactar|escribir|decir)\w* (?:a|con) su (?:familia|padres|espos[ao])
(?:avisar|informar|llamar|contactar|escribir|decir)\w* (?:a|con) su (?:marido|mujer|pareja)
(?:avisar|informar|llamar|contactar|escribir|decir)\w* (?:a|con) su (?:vecin|amig)\w+
(?:avisar|informar|llamar|contactar|escribir|decir)\w* (?:a|con) su (?:companer|emplead)\w+
su (?:jefe|familia|empresa) (?:sabra|se enterara)
sus (?:vecinos|amigos|companeros) (?:sabran|se enteraran)
lista (?:negra|publica|de morosos)
publicar\w* su
redes sociales
(?:powiadom|poinform)\w+ (?:twoj\w*|pansk\w*|pani|pana) (?:pracodawc|szef|rodzin)\w*
(?:powiadom|poinform)\w+ (?:twoj\w*|pansk\w*|pani|pana) (?:zon|mez|rodzic|sasiad|znajom)\w*
(?:zadzwon\w+ do|skontakt\w+ sie z) (?:twoj\w*|pansk\w*|pani|pana) (?:pracodawc|szef|rodzin)\w*
(?:zadzwon\w+ do|skontakt\w+ sie z) (?:twoj\w*|pansk\w*|pani|pana) (?:zon|mez|rodzic)\w*
(?:zadzwon\w+ do|skontakt\w+ sie z) (?:twoj\w*|pansk\w*|pani|pana) (?:sasiad|znajom)\w*
(?:pracodawca|rodzina|sasiedzi) (?:dowie|dowiedza) sie
czarn\w+ list\w+
lis(?:ta|cie|te) dluznikow
opublikuj\w+
w mediach spolecznosciowych
"""
