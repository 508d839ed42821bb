"""What no text may say, in Polish. How a phrase is written: app/domain/tone_words.py.

UOKiK and the Act on counteracting unfair market practices of 23 August 2007, art. 8 and 9
(aggressive practices in collection); art. 190 and 191 § 2 of the penal code; the good practices
of the association of financial companies (ZPF), which forbid to tell third parties and to shame.
"""

from __future__ import annotations

from typing import Final

PARTS: Final = {
    "your": r"(?:pana|pani|pania|panu|panow|panstwa|pansk\w+|twoj\w*|twoi\w*|twa|twego|twemu|"
    r"wasz\w*)",
    "you": r"(?:pan|pani|pana|pania|panstwo|panstwa|cie|ciebie)",
    "other": r"(?:mam(?:a|e|ie|y)|matk\w+|matce|ojciec|ojc\w+|tat(?:a|e|y|cie)|rodzic\w+|rodzin\w+|"
    r"zon(?:a|e|ie|y)|mez(?:a|owi|em)|maz|malzon\w+|partner\w*|narzeczon\w+|dziecko|"
    r"dziecka|dzieci\w*|"
    r"syn\w*|cork\w+|corc\w+|brat\w*|siostr\w+|dziadk\w+|babci\w+|krewn\w+|bliski\w*|tesci\w*|"
    r"sasiad\w*|sasiedzi|szef\w*|pracodawc\w+|przelozon\w+|kierowni\w+|koled\w+|"
    r"koleg\w+|kolezan\w+|"
    r"znajom\w+|przyjaci\w+|wspolpracowni\w+|firm(?:a|e|y|ie)|zaklad\w* pracy|szkol\w+|parafi\w+|"
    r"proboszcz\w*|otoczeni\w+|klient\w+|pracy|pracownik\w+)",
    "alone": r"(?:rodzin\w+|sasiad\w*|sasiedzi|szef\w*|pracodawc\w+|przelozon\w+|wspolpracowni\w+|"
    r"znajom\w+|przyjaci\w+|koled\w+|malzon\w+|wszysc\w+|wszystkich|wszystkim)",
    "tell": r"(?:powie(?:my|m|dziec)|powiadom\w+|poinform\w+|informowac|informujemy|zadzwoni\w+|"
    r"dzwonimy|dzwonic|porozmawia\w+|rozmawia\w+|pomowi\w+|skontakt\w+|kontaktowac|napisz\w+|"
    r"zawiadom\w+|odwiedz\w+|zapyta\w+|pytac|da(?:my|m|c) {one} znac|przekaz\w+|"
    r"ujawni\w+|zdradz\w+|"
    r"uprzedz\w+|ostrzez\w+|zglosi\w+|opowie\w+|pokaz\w+|zwroci\w+ sie|dotrze\w+ do|wyslemy)",
    "learn": r"(?:dowie\w*|dowiedz\w+|(?:beda|bedzie) {two} wiedzi?\w+|uslysz\w+|pozna|poznaja|"
    r"zobacz\w+|przeczyt\w+|zostan\w+ {one} (?:powiadom|poinform|zawiadom)\w+|"
    r"(?:dostan|otrzym)\w+ {one} (?:list|telefon|wiadomosc|pismo)\w*)",
    "goods": r"(?:dom|domu|mieszkani\w+|samochod\w*|aut(?:o|a)|rzeczy|majatek|majatku|dobytek|"
    r"wynagrodzeni\w+|pensj\w+|emerytur\w+|rent(?:e|y)|zasilk\w+|dzieci|oszczednosci|dach)",
    "insult": r"(?:oszust\w*|kretacz\w*|naciagacz\w*|zer(?:o|em)|nikim|smieci\w*|pasozyt\w*|"
    r"tchorz\w*|"
    r"len|leni\w+|przestepc\w+|niewdzieczn\w+|bezczeln\w+|zalosn\w+|glupi\w*|"
    r"dluznikiem notoryczn\w+)",
    "men": r"(?:windykator\w*|agen(?:t|ci)\w*|przedstawiciel\w*|inspektor\w*|ktos|ludzie|"
    r"pracowni\w+)",
}

THREATS: Final = r"""
ostatni(?:e|a|ej)? (?:ostrzezeni\w+|szans\w+|wezwani\w+)
ostateczne ostrzezenie
pozaluje\w*
(?:bedzie|bedziesz|zebys|zeby) {two} zalowa\w+
(?:powazn|przykr|surow|prawn|dotkliw|nieprzyjemn|finansow)\w+ konsekwencj\w+
(?:ponies|poniosa|grozi|grozy|wyciagn|spotka)\w* {two} konsekwencj\w+
konsekwencj\w+ (?:prawn|karn|sadow|powazn|dotkliw)\w+
wiemy gdzie {one} (?:mieszka\w*|pracuj\w*|jest\w*|znalezc)
wiemy {two} do {one} (?:jakiej|ktorej) {one} (?:szkol|firm)\w+
wiemy {few} {your} {one} (?:dziec\w*|rodzin\w+|szkol\w+)
(?:znajdziemy|obserwujemy|dopadniemy|sledzimy) {you}
krok\w* (?:prawn|sadow|egzekucyjn|zdecydowan|radykaln|ostateczn)\w+
(?:prawn|sadow|zdecydowan|radykaln|powazn|stanowcz|ostrzejsz)\w+ (?:krok|srodk|dzialani)\w*
podejm\w+ {one} (?:krok\w*|srodki)
droge sadowa
drodze sadowej
(?:do|w|przed|przez|u) {one} (?:sadu|sadzie|sadem|sad|sedzi\w+)
(?:bedzie|czeka|grozi|spotkamy) {two} (?:sad|proces|rozprawa)
sad (?:zdecyduje|rozstrzygnie|wyda|nakaze|zasadzi|rejonowy|okregowy|zajmie|orzeknie)
sedzi(?:a|ego) (?:zdecyduje|wyda|orzeknie)
sadow(?:y|ego|ych|ym|ej|e|a|o)
pozw(?:iemy|ac|em|u|any|ana|ani|ie)
pozew
nasi? (?:prawni\w+|adwoka\w+|radc\w+)
(?:przekaz|skier|odda)\w+ {few} (?:prawni|adwoka|prokurat|policj)\w+
komorni\w+
egzekuc\w+
egzekwow\w+
licytacj\w+
policj\w+
wiezieni\w+
za krat\w+
aresz\w+
prokurat\w+
przestepst\w+
zajeci\w+ (?:kont|wynagrodz|pensj|mieni|majatk|komornicz)\w*
zajmiemy(?! sie)
zajac {one} {your} {one} {goods}
(?:zostan\w+|beda|bedzie) {one} zajet\w+
eksmi\w+
zablok\w+ {one} (?:{your} )?kont\w+
kont\w+ {one} (?:zostan\w+|bedzie) {one} zablokowan\w+
(?:strac(?:i|isz|ic|icie|a)|utraci\w*) {two} (?:{goods}|prace|prawo jazdy|wolnosc|rodzine|
    wszystko)
(?:zabierz|zabior|odbier|odbior|zabrac|odebrac|sprzeda)\w* {two} {goods}
{goods} {two} (?:zostan\w+|beda|bedzie) {one} (?:zabran|odebran|sprzedan|zlicytowan|
    skonfiskowan)\w+
konfisk\w+
(?:wyrzuc|wyleci)\w* {two} z (?:domu|pracy|mieszkania)
zostan\w+ {one} zwolni\w+
(?:na|pod) (?:bruku?|most\w*|ulic[ey])
(?:przyjedz|przyjed|przyjd|zjawi|zapuka|odwiedz|staniemy|stana|stanie|
    pojawi)\w* {few} (?:do {one} domu|w domu|domu|do {one} drzwi|pod drzwi\w*|drzwi|mieszkania|
    do {one} pracy|w {one} pracy)
(?:przyjedziemy|przyjdziemy|przyjedzie|przyjda|przyjada) (?:po|do) (?:ciebie|pani|pana|pania|
    panstwa|domu|pracy)
{men} {one} (?:przyjd|przyjed|przyjad|odwiedz|zapuka|zjawi)\w*
odwiedzimy (?:cie|pania|pana|dom)
w przeciwnym razie
nie (?:masz|ma pan|ma pani|mamy|pozostawia\w*|zostawia\w*) {one} (?:innego )?wyboru
(?:jestesmy|bedziemy) zmuszeni
(?:zniszcz|zrujn)\w+ {two} (?:zycie|przyszlosc|reputacj\w+|opini\w+|kredyt\w*|karier\w+|rodzin\w+|
    nazwisko)
deport\w+
"""

SHAMES: Final = r"""
wstyd\w*
zawstydz\w+
hanb\w+
kompromit\w+
upokorz\w+
zlodziej\w*
zlodziejk\w+
kradn\w+
kradzie\w+ (?:jest|bo|nasz)\w*
okrad\w+
oszukuj\w+
oszuka(?:l|la|les|las) (?:pan|pani|nas)
(?:jest|jestes|sa|bedzie) {two} {insult}
(?:zwykl|zwyczajn|pospolit)\w+ {insult}
{insult} (?:z ciebie|z pana|z pani)
to (?:zwykle |jest |zwyczajne )?(?:oszustwo|kradziez|zlodziejstwo)
klamc\w+
klamst\w+
klam(?:ie|iesz|iecie|ac)
nieuczciw\w+
nieodpowiedzialn\w+
lekkomysln\w+
leniw\w+
nierzeteln\w+
niesolidn\w+
nierob\w*
leser\w*
pasozyt\w*
tchorz\w*
cwania\w+
kretacz\w*
naciagacz\w*
idiot\w*
lajda\w+
bez (?:honoru|sumienia|wstydu|skrupulow)
(?:brak|nie ma pan|nie ma pani|nie masz) {one} (?:honoru|sumienia|przyzwoitosci)
uczciw(?:i|y|a|ego) (?:ludzie|czlowiek\w*|osob\w*|obywatel\w*)
porzadn(?:i|y|a) (?:ludzie|czlowiek\w*|osob\w*)
co (?:to |z {your} |z ciebie |jest pan |jest pani )za (?:ojciec|matka|czlowiek|maz|zona|rodzic|
    kobieta|osoba|mezczyzna)
jaki(?:m|ej)? {two} (?:ojc|matk|czlowiek|mez|zon|rodzic)\w*
co (?:powie|pomysl|powiedz)\w+ {two} {other}
(?:ukrywa|chowa)\w* sie
sie {one} (?:ukrywa|chowa)\w*
wymow(?:ka|ki|ek|kami)
wykret\w*
(?:zachow\w+ sie|postep\w+) jak {one} (?:doros|dziecko|mezczyzna|kobieta|czlowiek|oszust|
    gowniarz)\w*
(?:zlama|nie dotrzyma)\w+ {two} slowa
slowo {two} nic nie (?:znacz|wart)\w*
"""

TELLS_OTHERS: Final = r"""
{tell} {few} {your} {other}
{tell} {few} {other} (?:pana|pani|panstwa)
{tell} {few} {alone}
da(?:my|m) znac {two} (?:{your} )?{one} {other}
{tell} {few} wlascicielowi
wlasciciel\w* (?:pana|pani|{your}) {one} {two} {learn}
{your} {one} {other} {two} {learn}
{other} (?:pana|pani|panstwa) {two} {learn}
{alone} {two} {learn}
cal(?:a|e|y) (?:rodzina|wies|miasto|blok|osiedle|firma|okolica) {two} {learn}
(?:pracodawca|rodzina|sasiedzi) (?:dowie|dowiedza) sie
dowie\w* sie {one} (?:o tym |o dlugu )?{one} (?:{alone}|{your} {other})
czarn\w+ list\w+
lis(?:ta|cie|te|ty) (?:dluznik|nierzeteln|oszust)\w+
(?:opublik|upubliczn|publikow)\w+
(?:nazwisko|zdjecie|dlug) {two} (?:zostanie|bedzie|trafi) {two} (?:publi|opublik|intern|
    facebook)\w*
w mediach spolecznosciowych
"""

NOT_SO: Final = r"""
nigdy {one}
nikt {two}
nikomu {two}
zad(?:en|na|ne|nego|nej|nych)
nie (?:trzeba|ma|musi\w*|nalezy) {one} (?:sie|czego|powodu) {one}
bez
"""

SUPPOSED: Final = r"""
(?:jesli|jezeli|gdy|gdyby)(?: pan| pani| panstwo)?
"""

CONDITIONS: Final = r"""
jesli|jezeli|gdy|gdyby|chyba|dopoki|poki|az|pod warunkiem|jeszcze|na razie|przed|o ile
"""
