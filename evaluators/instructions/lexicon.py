"""Lists of English words that rules ask for."""


def words_in(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


# The list that NLTK carries as `stopwords`, with the pieces that its contractions fall into.
STOP_WORDS = words_in(
    """
    i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it
    its itself they them their theirs themselves what which who whom this that these those am is are was were be been
    being have has had having do does did doing a an the and but if or because as until while of at by for with about
    against between into through during before after above below to from up down in out on off over under again
    further then once here there when where why how all any both each few more most other some such no nor not only
    own same so than too very can will just don should now s t d ll m o re ve y ain aren couldn didn doesn hadn hasn
    haven isn ma mightn mustn needn shan shouldn wasn weren won wouldn
    """
)

# Abbreviations as NLTK's English model of sentences has them; e.g., i.e., etc. and No. are none to it.
ABBREVIATIONS = words_in(
    """
    mr mrs ms messrs dr prof st jr sr lt col gen maj adm sen rep reps inc corp co cos ltd bros cie vs ave ft yr mg ct pa
    ok chg jan feb aug sep sept oct nov dec tues wed fri ala ariz calif colo conn fla ga ill kan ky mich minn nev okla
    ore tenn va vt wash wis w.va n.c n.d n.h n.j n.m n.y s.c d.c l.a a.d a.m p.m a.c a.g b.v n.v s.a s.p.a p.a.m ph.d
    m.b.a m.d.c u.k u.n u.s u.s.a u.s.s.r c.i.t
    a.a a.h a.s a.t b.f c.v d.h d.w e.f e.h e.l e.m f.g f.j g.d g.f g.k h.c h.f h.m j.b j.c j.j j.k j.p j.r l.f l.p m.j
    r.a r.h r.i r.j r.k r.t s.g s.s t.j w.c w.r w.w
    """
)

# Letters with a dot that may end a sentence; the others stand for names.
NO_INITIALS = frozenset("abijoquxyz")

# Words that begin a sentence behind an abbreviation, with the stop words.
STARTERS = words_in(
    """
    according although among despite even however indeed instead many meanwhile moreover nevertheless nonetheless sales
    separately similarly since though thus yet
    """
)

CONJUNCTIONS = words_in("for and nor but or yet so")

PRONOUNS = words_in(
    """
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
    herself it its itself they them their theirs themselves this that these those who whom whose which what whoever
    whomever whichever whatever anybody anyone anything everybody everyone everything nobody none nothing somebody
    someone something each either neither both all any some
    """
)

PERSON_NAMES = words_in(
    """
    Emma Liam Sophia Jackson Olivia Noah Ava Lucas Isabella Mason Mia Ethan Charlotte Alexander Amelia Benjamin Harper
    Leo Zoe Daniel Chloe Samuel Lily Matthew Grace Owen Abigail Gabriel Ella Jacob Scarlett Nathan Victoria Elijah
    Layla Nicholas Audrey David Hannah Christopher Penelope Thomas Nora Andrew Aria Joseph Claire Ryan Stella Jonathan
    """
)

# Forms that are not made by rule. Modal verbs, such as can and must, are no verbs to the authors' program.
VERB_FORMS = words_in(
    """
    am is are was were be been being do does did done have has had let began begun broke broken brought built bought
    came caught chose chosen cut drew drawn drove driven ate fell felt found flew forgot forgotten gave given went
    gone got grew grown heard held hid hit kept knew known laid led left lent lost made meant met paid put ran read
    rode rose said sat saw seen sent set shown shut sang slept spoke spoken spent stood stole struck swam swung
    taken taught told thought threw thrown took understood woke wore won written wrote
    """
)

VERBS = words_in(
    """
    accept access accompany achieve acknowledge acquire act activate adapt add address adjust administer admire admit
    adopt advance advise affirm afford agree aim alert align allocate allow alter amplify analyse analyze announce
    answer anticipate apologize appear apply appoint appreciate approach approve argue arise arrange arrive ask
    assemble assess assign assist assume assure attach attain attempt attend attract audit avoid awaken award bake
    balance base battle beat become beg begin behave behold believe belong bend benefit bet beware bid bind blend
    bless block blow boil bolster book boost borrow bounce brace break breathe bring broaden browse brush build bundle
    burn burst bury buy calculate call calm cancel capture care carry carve cast catch categorize cause celebrate
    challenge change channel charge chart chase chat check cheer cherish chill choose circulate cite claim clarify
    classify clean clear click climb close clutch collaborate collect combine come comfort commence comment commit
    communicate compare compete compile complete comply compose comprehend compute conceive concentrate conclude
    conduct confirm confront connect conquer consider consist construct consult consume contact contain contemplate
    continue contribute control convert convey convince cook cool cooperate coordinate copy correct count cover craft
    crash crave crawl create credit criticize cross crush cry cultivate cure customize cycle dance dare date deal
    debate decide declare decorate decrease dedicate deepen defend define delay delegate delete deliver delve demand
    demonstrate deny depend depict deploy derive describe deserve design desire destroy detail detect determine
    develop devise dig direct disagree discard discover discuss display distinguish distribute dive diversify divide
    document donate double doubt download draft drag draw dream dress drink drive drop dwell earn ease eat echo edit
    educate elaborate elect elevate eliminate embark embody embrace emerge emphasize employ empower enable encounter
    encourage end endure enforce engage enhance enjoy enlighten enrich ensure enter entertain envision establish
    estimate evaluate evolve examine exceed exchange execute exercise exhibit exist expand expect experience
    experiment explain explore express extend extract face facilitate fail fall familiarize fasten fear feature feed
    feel fetch fight figure fill filter find finish fit fix flip float flow fly focus fold follow forbid forecast
    forget forgive form formulate foster frame free freeze fry fuel fulfill gain gather gaze generate get give glance
    glimpse go grab grant grasp greet grind grip grow guarantee guard guess guide handle hang happen harness harvest
    hear heat help hide highlight hire hit hold honor hop hope hug hunt hurry identify ignite ignore illuminate
    illustrate imagine immerse implement imply import improve include incorporate increase indicate influence inform
    initiate innovate inquire insert inspect inspire install integrate interact interpret introduce invent invest
    investigate invite involve isolate iterate join journey judge jump justify keep kick kill kiss kneel knock know
    label land last laugh launch lay lead lean leap learn leave lend let leverage lie lift light like limit link list
    listen live load locate lock look lose love lower maintain make manage map mark market marvel master match
    maximize mean measure meet melt memorize mention mind minimize miss mitigate mix model modify monitor motivate
    move multiply name narrate navigate need negotiate nest note notice nourish nurture obey observe obtain occur
    offer omit open operate optimize order organize outline overcome own pack paint participate pass pause pay perform
    permit persuade pick picture place plan plant play please plot ponder pose possess post postpone pour practice
    praise pray predict prefer prepare present preserve press pretend prevent print prioritize process produce program
    progress promise promote propose protect prove provide publish pull purchase pursue push put question quit quote
    race raise rank reach react read realize rearrange recall receive recite recognize recommend reconsider record
    recover recreate reduce refer refine reflect refresh refuse regard register regret reinforce reject rejoice relate
    relax release rely remain remember remind remove render repair repeat replace reply report represent request
    require research reserve resist resolve respect respond rest restore restrict resume retain rethink return reveal
    reverse review revise rewrite ride ring rise roast roll rotate run rush sail save savor say scan schedule
    scrutinize seal search secure see seek seem seize select sell send separate serve set settle shake shape share
    shift shine shoot shop show shut sign simmer simplify sing sip sit sketch skip sleep slice slide slow smell smile
    snap soar solve sort sound spark speak specify spend spin split spread sprinkle stand start state stay steal step
    stick stir stop store strengthen stress stretch strike strive structure struggle study submit substitute succeed
    suffer suggest suit summarize supply support suppose surround survive suspect sustain swear sweep swim switch
    tackle tailor take talk target taste teach tear tell tend test thank think thrive throw tie time toss touch trace
    track trade train transcend transform translate transport travel treasure treat trim trust try tuck turn type
    uncover understand undertake unearth unite unleash unlock unravel unveil update upgrade upload use utilize
    validate value vary venture verify view visit visualize vote wait wake walk wander want warm warn wash watch wave
    wear weave weigh welcome whip whisk whisper win wish witness wonder work worry wrap write yell yield zoom
    """
)

# Words in -ing and -ed that are no verbs.
NO_VERBS = words_in(
    """
    anything bling building ceiling evening everything king lightning morning nothing offspring outing pudding sibling
    something spring sterling string thing wedding wing during bed bred breed creed deed feed greed hatred hundred
    indeed kindred naked need red reed sacred seed shed sled speed steed weed
    """
)
