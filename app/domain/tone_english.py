"""What no text may say, in English. How a phrase is written: app/domain/tone_words.py.

12 CFR 1006.14(b) to (h) and 1006.22(b), (c) name most of these (threats of arrest, of seizing, of
telling others; obscene and shaming words). For the United Kingdom FCA CONC 7.3 (pressure, threats
of court), 7.9 (embarrassment, third parties) and 7.11 (a false legal position) say it.
"""

from __future__ import annotations

from typing import Final

PARTS: Final = {
    "will": "(?:will|ll|shall|may|might|can|could|would|must|should|(?:is|are|am|re) going to)",
    "other": r"(?:mother|father|mum|mom|dad|parents?|wife|husband|spouse|partner|girlfriend|"
    r"boyfriend|fiance\w?|famil(?:y|ies)|relatives?|child(?:ren)?|kids?|sons?|daughters?|brothers?|"
    r"sisters?|siblings?|grand(?:ma|pa|mother|father|parents?|children)|uncle|aunt|cousins?|"
    r"in laws?|neighbou?rs?|neighbou?rhood|employers?|boss(?:es)?|manager|supervisor|superiors?|"
    r"hr|work(?:place|mates?)?|job|office|company|colleagues?|co ?workers?|customers|clients|"
    r"friends?|landlord|landlady|(?:flat|room|house)mates?|church|priest|pastor|school|university|"
    r"contacts|community|village)",
    "all": r"(?:every(?:one|body)|the (?:whole |entire )?(?:world|town|village|street|building|"
    r"neighbou?rhood|public|press))",
    "tell": r"(?:tell\w*|told|inform\w*|contact(?:s|ed|ing)?|call(?:s|ed|ing)?|phon(?:e|ed|ing)|"
    r"ring(?:ing)?|notif\w+|writ(?:e|ing)|speak\w*|talk\w*|visit\w*|ask\w*|warn\w*|alert\w*|"
    r"messag(?:e|ing)|text(?:ing)?|mail(?:ing)?|approach\w*|reach(?:ing)?|in touch|disclos\w+|"
    r"reveal\w*|expos\w+|explain\w*|show\w*|discuss\w*|shar(?:e|ing)|involv\w+|turn(?:ing)?)",
    "learn": r"(?:know|learn|hear|find out|discover|see|read|be (?:told|informed|notified|"
    r"contacted|called|warned|alerted|visited|involved|aware)|get (?:a )?(?:call|letter|visit))",
    "goods": r"(?:homes?|houses?|flat|apartment|cars?|vehicle|belongings|possessions|goods|"
    r"furniture|property|things|savings|wages|salary|pension|benefits|child(?:ren)?|kids)",
    "taken": r"(?:taken|seized|sold|removed|towed|confiscated|auctioned|lost|gone|stopped|cut|"
    r"docked|withdrawn|impounded)",
    "men": r"(?:agents?|collectors?|officers?|men|people|someone|somebody|team|inspectors?|we)",
    "insult": r"(?:fraud|cheat|crook|criminal|coward|failure|disgrace|parasite|loser|swindler|"
    r"scammer|con (?:man|artist)|trash|dirt|nobody|burden|bad person|selfish|stupid|pathetic|"
    r"worthless|useless|untrustworthy|unreliable)",
}

THREATS: Final = r"""
or else
(?:last|final) (?:chance|warning|opportunity)
(?:you (?:will|ll|are going to|re going to|may|might)|live to) {one} regret
you (?:will|ll|are going to|re going to) {one} be {one} sorry
make you (?:sorry|pay|suffer|regret)
we know {two} where {one} (?:you|your)
we know {two} your (?:child(?:ren)?|kids|school|family|wife|husband|car|street)
(?:watching|following|hunting|coming for|coming after|come after|hunt) you
track you down
(?:hurt|harm|beat) you
legal (?:action|steps?|proceedings?|measures?|charges?|consequences?|route|process)
lawsuits?
litigat\w+
su(?:e|ed|ing) {one} (?:you|for)
be sued
(?:to|in|into|before) (?:the |a )?court
the court {will}
(?:county|civil|criminal) court
court (?:order|case|date|summons|action|proceedings?|judge?ment|papers|costs|claim)s?
(?:a|the) judge {will}
summons\w*
our {one} (?:lawyers?|solicitors?|attorneys?)
(?:lawyers?|solicitors?|attorneys?) {will} {one} (?:contact|write|call|sue|start|act)
(?:pass|hand|refer|send|give|forward)\w* {few} (?:lawyers?|solicitors?|attorneys?|police)
arrest(?:s|ed|ing)?
warrant (?:for|will|has|may)
police\w*
jail\w*
(?:in|to|into|of|from|face|facing) prison
imprison\w*
behind bars
handcuff\w*
sheriffs?
prosecut\w+
criminal\w*
(?:press|file|bring) {one} charges
report(?:ed|ing)? you (?:to the (?:police|tax|authorit\w+|immigration|social)|for)
{tell} {few} (?:authorities|police|tax office|immigration|social services|child services)
bailiffs?
enforcement (?:agents?|officers?|action|team)
debt collectors? {will}
(?:collectors?|agents?|men|officers?) {few} (?:at|to) your (?:door|home|house|flat|work\w*|
    address)
{men} {will} {one} (?:visit|come|knock|turn up|show up|appear|wait) {two} your {goods}
{men} {will} {one} (?:knock|turn up|show up|stand|be|appear|come|wait) {two} your (?:door|address)
(?:officers?|police\w*) {will} {one} (?:come|arrive|visit|knock|pick)
(?:at|on|to) your door(?:step)?
(?:visit|come to|go to|turn up at|show up at) {two} your (?:home|house|flat|work\w*|office|job|
    school)
(?:visit|see) you at (?:home|work)
seiz(?:e|ed|es|ing|ure)
garnish\w*
repossess\w*
evict\w*
foreclos\w+
confiscat\w+
attachment of earnings
(?:{will}|risk|or|about to) {one} (?:lose|losing|forfeit) your {one} (?:{goods}|job|work|freedom|
    licen[cs]e|family)
lose everything
(?:take|taking|sell|selling|auction|remove) {one} your {goods}(?! (?:day|date|slip)s?)
take away {one} your
your {one} {goods} {will} {one} be {one} {taken}
(?:have|get|see) your {one} {goods} {taken}
(?:throw|thrown|kick|kicked|put|out) (?:you )?(?:out )?(?:of your (?:home|house|flat)|
    on(?:to)? the street)
end up (?:on the street|homeless|in prison|in jail)
(?:freeze|block|empty) your {one} (?:bank )?accounts?
your {one} accounts? {will} be {one} (?:frozen|blocked|emptied)
(?:ruin|destroy|wreck|finish)\w* {one} your {one} (?:credit|life|name|future|reputation|career|
    family|rating|score|marriage)
your {one} (?:credit|life|name|future|reputation|career|rating|score|
    marriage) {will} {one} be {one} (?:ruined|destroyed|wrecked|finished|over)
deport\w*
(?:immigration|residence) (?:office|authorities|status|permit)
immediately or
you have no choice
(?:leave|leaves|left|leaving) us {one} no {one} (?:choice|option)
no (?:other )?choice but
force you
(?:be|are) forced to
(?:face|suffer|bear|serious|severe|grave|dire|unpleasant|be) (?:the )?consequences
(?:face|suffer|bear|of|accept) {two} consequences
(?:serious|drastic|severe|strong\w*|harsh\w*|tough\w*|extreme) (?:steps|measures|action)
things {will} get {one} (?:worse|ugly|unpleasant|nasty)
"""

SHAMES: Final = r"""
shame\w*
asham\w+
embarrass\w*
humiliat\w+
disgrac\w+
dishonou?r\w*
dishonest\w*
liars?
lying
lied
thie(?:f|ves)
steal\w*
theft
cheat\w*
crooks?
scum\w*
cowards?
cowardly
parasites?
freeloaders?
scroungers?
spongers?
idiots?
stupid\w*
pathetic
worthless
good for nothing
fraudsters? like you
your fraud
commit\w* fraud
(?:this|it|that|which) (?:is|was|s) {one} (?:fraud|theft|crime)
you (?:are|re) {two} {insult}
you (?:are|re) (?:just )?(?:a|an|another) {two} (?:fraudster|scammer|swindler|defaulter|debtor)
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
(?:you|your) {one} broke(?:n)? your (?:word|promise)
decent pe(?:ople|rson)
honest pe(?:ople|rson)
what (?:kind|sort) of {one} (?:person|man|woman|mother|father|parent|husband|wife|son|daughter|
    human)
call yourself an?
{will} your {other} (?:think|say|feel)
your {other} {will} {two} (?:ashamed|think of you|say about you)
(?:stop|quit) (?:hiding|running|lying|dodging|making)
(?:hide|hiding|run away|running away) from (?:us|this|your)
(?:no more|your|more|enough) excuses
(?:act|behave|pay) like an? (?:adult|grown up|man|woman|responsible)
grow up
be a man
disappoint(?:ed|ment) (?:in|by|with|to) (?:you|your)
how (?:can|do) you (?:sleep|live with|look)
"""

TELLS_OTHERS: Final = r"""
{tell} {few} your {one} {other}
{tell} {few} {all}
(?:tell|inform|notify|call|contact|warn) {one} (?:the|all) {one} (?:neighbou?rs|colleagues|
    relatives|employers?)
let {one} your {one} {other} {two} (?:know|hear|see)
let {all} {one} (?:know|hear|see)
your {one} {other} {will} {two} {learn}
(?:the|all) {two} (?:neighbou?rs|colleagues|friends|relatives) {will} {two} {learn}
{all} {few} {will} {one} {learn}
your {other} (?:know|has to know|have to know|need to know|needs to know) (?:about|that|what)
how much you owe will
(?:publish|print|expose|broadcast)\w* {two} (?:your (?:name|debt|photo|picture|face|details|case)|
    you|it|this)
(?:post|make) (?:it|this|you|your (?:name|debt|photo|picture)) (?:public|online)
your {one} (?:name|photo|picture|debt|face) {will} {two} (?:published|posted|printed|public|
    shared|displayed|shown|online)
(?:go|goes|going|be|put) public
public list
lists? of (?:bad |non )?(?:payers|debtors|defaulters)
black ?list\w*
on (?:facebook|social (?:media|networks)|tiktok)
"""

NOT_SO: Final = r"""
never
nobody {two}
no one {two}
(?:is|s|be|means|has|with) no
without
(?:nothing|no reason|no need|need not|needn t|do not|don t|never|not) (?:to )?(?:be|feel)
not an?
"""

SUPPOSED: Final = r"""
if you
"""

CONDITIONS: Final = r"""
if|unless|until|till|as long as|provided|yet|before|when
"""
