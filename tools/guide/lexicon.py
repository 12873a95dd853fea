# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: GGUF Loader contributors
"""Word lists for the augmentation: phrases that may stand for one another, polite wrappings, words that carry little,
and the patterns from which questions off the topic are made.
"""

# Each line is one group: any of its phrases may stand for any other.
SYNONYMS = [line.split(" | ") for line in """
download | get | fetch | grab | pull down
delete | remove | erase | get rid of | wipe
fast | quick | speedy | quickly
faster | quicker | more quickly | speed up
slow | sluggish | slowly | takes ages | laggy
slower | less quick
picture | image | photo
computer | machine | pc | laptop | device
program | app | application | software | tool
GGUF Loader | the app | this program | this application | the program | gguf loader | this app | the loader
start | launch | open up | fire up | begin
stop | halt | cancel | interrupt | abort | end
error | failure | problem | issue | fault
memory | ram
graphics card | gpu | video card | graphics processor
processor | cpu
graphics memory | vram | video memory | gpu memory
chat | conversation | dialogue | talk
chats | conversations
reply | answer | response
replies | answers | responses
question | query | message
folder | directory
settings | preferences | options | configuration
setting | option | preference
show | display | view | see
hide | conceal | turn off
change | alter | modify | adjust | edit | set
make | create | build | produce
choose | pick | select
big | large | huge
bigger | larger
small | little | tiny
smaller | tinier
fix | solve | repair | resolve | sort out
need | require
needed | required | necessary
use | employ | work with | utilise
save | store | keep
saved | stored | kept
copy | duplicate
find | locate | look up
offline | without internet | without a network | with no connection
internet | network | web | online
shortcut | key combination | hotkey | keyboard shortcut
free | gratis | at no cost | without paying
cost | price | pay
private | confidential | secret
safe | secure
explain | describe | tell me about
mean | stand for | signify
meaning | definition | sense
difference between | distinction between | how differ
better | superior | preferable
best | ideal | right | most suitable
good | decent | suitable
wrong | incorrect | false | mistaken
crash | crashes | close suddenly | freeze | hang
language | tongue
look | appearance | theme
dark | night | black
light | bright | white
font | text size | letters
window | screen
button | control
list | overview
add | insert | attach | put in
load | open | bring up
loading | opening
loaded | opened
import | bring in
export | write out
rename | change the name of | give another name to
send | submit
write | type | enter
text | words
search | look for | find
update | upgrade | newer version | new version
install | set up | put on my machine
uninstall | remove | take off
run | execute | operate
running | executing | going
work | function
works | functions
support | handle | understand | cope with
supported | handled | understood
disk | drive | hard drive | storage
space | room
size | how big
limit | maximum | cap
lower | reduce | decrease | cut
raise | increase | turn up
random | varied | unpredictable
creative | imaginative | inventive
temperature | sampling temperature
instruction | direction
system prompt | system message | standing instruction
context | context length | context window | context size
token | word piece
tokens | word pieces
quantisation | quantization | quantised format | quant
quantised | quantized | compressed
weights | parameters
model | llm | language model | ai model
models | llms | language models | ai models
plugin | plug-in | add-on | addon | extension
documents | files
document | file
website | site | web page
developer | programmer | author
help | assist | support
repeat | loop | say again
repeating | looping
forget | lose track of
forgets | loses track of
remember | recall
history | past chats | earlier conversations
server | api | endpoint
windows | microsoft windows
linux | ubuntu | debian
mac | macos | apple computer
phone | mobile | smartphone
check | verify | make sure
old | ancient | aged
new | fresh | another
several | many | multiple
all | every
first | initial
possible | doable | feasible
allowed | permitted
recommend | suggest | advise
switch | swap | change
enable | turn on | switch on | activate
disable | turn off | switch off | deactivate
why does | why is it that | how come | what makes | for what reason does
why is | how come | what is the reason that
how do i | how can i | how to | what is the way to | how would i | how should i | tell me how to | steps to | i want to | i would like to
can i | is it possible to | may i | could i | am i able to | is there a way to
what is | what's | whats | define | explain | tell me about | what exactly is | describe
what are | explain | tell me about | define
what does | explain what
where is | where do i find | where can i see | where's | in which place is
where are | where do i find | where can i see | in which place are
how many | what number of
how much | what amount of
how long | how much time
which | what
does it | will it | is it going to
do i need | must i have | is it necessary to have | do i have to have
should i | is it wise to | ought i to
""".strip().splitlines()]

BEFORE = """hi, | hello, | hey, | please | please tell me: | excuse me, | quick question: | sorry, | so | ok, | um, | well, |
can you tell me | could you tell me | do you know | i wonder | i was wondering | just wondering, | tell me | help: | help me: | question: |
i am new here, | i'm new to this, | one more thing, | and | now | also, | another question: | hey guide, | dear guide, | guys, |
i'd like to know | i want to know | i need to know | let me ask: | maybe you know | good morning, | could you please explain |
i am confused: | i don't get it: | first of all, | what about | how about | tell me about | explain | what is | what's | how do i |
how does this do | how can i | information on | more on | what to do: | something about | my question is about | it is about | i need help with |
i have a question about | can you explain | could you explain | please explain | what can you say about | where do i read about""".replace("\n", " ").split("|")
AFTER = """please | thanks | thank you | pls | exactly | again | in this program | in the app | here | for me | now | today | then |
in GGUF Loader | in gguf loader | on my computer | on my machine | at all | actually | in simple words | briefly | i wonder | anyone |
with this app | can you tell me | do you know | quickly | by the way | in short | on this thing""".replace("\n", " ").split("|")
BEFORE = [w.strip() for w in BEFORE]
AFTER = [w.strip() for w in AFTER]

WEAK = set("""a an the i is are am do does did can could would should will to of in on for with my me it its it's this that there here
be and or so how what which you your have has had when if at by as from was were please tell about some any into than then just
i'm i've don't what's we us our they them one get gets go use using want like""".split())

# Questions off the topic: each pattern is filled from the lists below, so that the shape says little and the words much.
OFF_PATTERNS = """
what is the capital of {place} | which language do people speak in {place} | how many people live in {place} | where is {place}
how do i get to {place} | what is the weather like in {place} | is it going to rain in {place} {when} | book me a flight to {place}
what time is it in {place} | who is the president of {place} | what should i visit in {place} | how far is {place} from {place}
when was {place} founded | how high is the tallest mountain in {place} | what money do they use in {place} | find me a hotel in {place}
how do i cook {food} | give me a recipe for {food} | how long do i boil {food} | how many calories are in {food} | is {food} healthy
can i freeze {food} | what goes well with {food} | why does my {food} taste bitter | how do i store {food} | can {animal} eat {food}
where can i buy {food} | what is {food} made of | is {food} vegan | who invented {food} | how much sugar is in {food}
write a poem about {thing} | write a story about {animal} | tell me a joke about {animal} | write a song about {thing}
draw a picture of {animal} | write an essay about {subject} | write an email to my {person} | compose a letter to my {person}
translate {thing} into {tongue} | how do you say {thing} in {tongue} | what does {thing} mean in {tongue} | teach me {tongue}
what is {number} plus {number} | what is {number} times {number} | calculate {number} minus {number} | {number} divided by {number}
what is the square root of {number} | solve x + {number} = {number} | how much is {number} percent of {number} | {number}+{number}
{number} x {number} | add {number} and {number} | is {number} a prime number | convert {number} miles to kilometres
who was {famous} | when was {famous} born | how did {famous} die | what did {famous} discover | who wrote {work} | what is {work} about
who directed {work} | summarise {work} | who plays in {work} | when did {work} come out | quote {famous}
who won the {sport} {when} | what are the rules of {sport} | how do i get better at {sport} | who is the best at {sport} | what is the {sport} score
how long does a {animal} live | what do {animal}s eat | how do i train my {animal} | why does my {animal} sleep so much
what does a {animal} sound like | how fast can a {animal} run | how big is a {animal} | is a {animal} dangerous | my {animal} is ill
should i buy a {animal} | what is the best {goods} to buy | how do i repair my {goods} | how much does a {goods} cost
how do i clean my {goods} | my {goods} does not start | where did i leave my {goods} | which {goods} do you recommend | how do i wash a {goods}
how do i install a {goods} | how do i open a {goods} | can i load my {goods} into the car | where is my {goods} stored
explain {subject} to me | what is {subject} | who invented {subject} | why is {subject} important | how does {subject} work | teach me {subject}
what are the basics of {subject} | give me facts about {subject} | help me with my {subject} homework | what causes {ill}
how do i treat {ill} | i have {ill}, what should i do | is {ill} contagious | what medicine helps against {ill} | how long does {ill} last
what should i wear {when} | what happened in {year} | who was king in {year} | what day is {when} | remind me to call my {person} {when}
set an alarm for {when} | play some music {when} | what is on television {when} | send a message to my {person} | call my {person}
what present should i give my {person} | how do i tell my {person} that i am sad | how old is my {person} | my {person} is angry with me
should i marry my {person} | how do i make friends with my {person} | are you a {animal} | do you like {food} | what is your favourite {food}
have you ever been to {place} | do you have a {person} | do you dream of {thing} | can you dance | can you sing about {thing}
what colour is a {animal} | what colour is the {thing} | why is the {thing} so bright | how far away is the {thing} | what is the {thing} made of
how do i grow {plant} | when do i water my {plant} | why are my {plant} dying | can i eat {plant} | when do {plant} flower
how do i win at {game} | what are the rules of {game} | who invented {game} | let us play {game} | what is the best move in {game}
what is the share price of {firm} | who founded {firm} | should i invest in {firm} | how many people work at {firm} | is {firm} hiring
how do i become a {job} | how much does a {job} earn | what does a {job} do all day | i want to be a {job} | should i hire a {job}
how do i write a {code} in {lang} | write a {lang} program that sorts numbers | what is a {code} in {lang} | is {lang} better than {lang} | fix this {lang} code
how do i tie a {knot} | how do i fold a {knot} | how many {unit} are in a {unit} | how deep is the {water} | where does the {water} flow
who will win the election in {place} | what do you think of {famous} | what is the meaning of life | does god exist | tell me a joke
tell me something funny | tell me a riddle | say something in {tongue} | sing me a song | i am bored | i am sad | i love you | what is love
how do i lose weight | how do i fall asleep | how do i stop smoking | how do i pay my taxes | how do i get rich | what is the news {when}
how do i change a {part} on my {goods} | how do i delete my {person}'s number | what is the size of {place} | how do i save money for a {goods}
how much memory does a {animal} have | how fast is a {goods} | how do i load a {goods} | which model of {goods} should i buy
what is the temperature in {place} | what is the temperature of the {thing} | how do i start a {goods} | why is my {goods} so slow
what is the context of {work} | who is the author of {work} | which format does a {job} use | how do i add {food} to {food}
how do i download {work} | how do i remove {food} from my {goods} | how do i update my {goods} | how do i set up a {goods}
can i use a {goods} without {food} | does my {animal} need more {food} | what is the difference between {food} and {food}
what is the difference between a {animal} and a {animal} | how do i choose a {goods} | can my {goods} run on {food} | where are the {plant} kept
why does my {animal} repeat itself | why does my {person} forget everything | how do i talk to a {job} | how do i open a bank account
""".replace("\n", " | ").split(" | ")
OFF_PATTERNS = [p.strip() for p in OFF_PATTERNS if p.strip()]

OFF_WORDS = {key: [w.strip() for w in value.split(",")] for key, value in {
    "place": "France, Germany, Italy, Spain, Japan, China, India, Brazil, Kenya, Egypt, Canada, Mexico, Norway, Sweden, Poland, Greece, Turkey,"
             "Peru, Chile, Vietnam, Iran, Ireland, Portugal, Austria, Hungary, London, Paris, Berlin, Rome, Madrid, Tokyo, Moscow, New York,"
             "Vienna, Prague, Dublin, Oslo, Lisbon, Cairo, Delhi, Texas, California, Scotland, Africa, Europe, Asia, Antarctica, Iceland, Sydney",
    "food": "pasta, rice, eggs, bread, soup, pizza, chicken, potatoes, a cake, pancakes, cheese, chocolate, coffee, tea, milk, butter, fish, beef,"
            "sushi, curry, apples, bananas, onions, garlic, mushrooms, salad, honey, wine, beer, ice cream, lentils, tofu, porridge, tomatoes, jam",
    "animal": "cat, dog, horse, cow, elephant, tiger, lion, rabbit, parrot, snake, whale, shark, mouse, penguin, bear, wolf, fox, frog, bee, spider,"
              "turtle, monkey, sheep, goat, duck, owl, hamster, dolphin, crocodile, camel",
    "thing": "moon, sun, sea, rain, snow, love, spring, winter, autumn, rose, river, star, night, friendship, mother, home, sky, mountain, forest,"
             "wind, island, bridge, castle, ship, garden, candle, rainbow, desert",
    "subject": "history, geography, physics, chemistry, biology, gravity, photosynthesis, economics, philosophy, astronomy, evolution, democracy,"
               "inflation, the French Revolution, the Roman Empire, the Cold War, electricity, magnetism, algebra, geometry, grammar, music theory,"
               "psychology, black holes, climate change, volcanoes, dinosaurs, the stock market, blockchain, football, poetry, religion, yoga",
    "tongue": "French, German, Spanish, Italian, Japanese, Chinese, Russian, Latin, Arabic, Dutch, Greek, Swedish, Polish, Hindi, Korean, Turkish",
    "number": "2, 3, 5, 7, 12, 15, 17, 23, 48, 64, 99, 100, 128, 144, 250, 365, 512, 777, 1000, 1024, 2048, 9, 31, 42, two, ten, twenty",
    "famous": "Einstein, Newton, Napoleon, Mozart, Beethoven, Shakespeare, Cleopatra, Caesar, Picasso, Darwin, Galileo, Gandhi, Lincoln, Churchill,"
              "Goethe, Bach, Marie Curie, Aristotle, Plato, Columbus, Elvis, Madonna, Messi, Mandela, Homer, Kafka, Tolstoy, Van Gogh",
    "work": "Hamlet, the Odyssey, Faust, War and Peace, Don Quixote, Star Wars, Titanic, the Bible, Harry Potter, Romeo and Juliet, Moby Dick,"
            "the Mona Lisa, Macbeth, Dracula, Frankenstein, the Lord of the Rings, Casablanca, Alice in Wonderland, the Iliad",
    "sport": "football, tennis, chess, the world cup, the olympics, basketball, rugby, cricket, golf, swimming, hockey, baseball, boxing, cycling",
    "goods": "car, bicycle, washing machine, fridge, toaster, oven, lawnmower, shoes, guitar, piano, watch, sofa, table, camera, television, lamp,"
             "jacket, umbrella, tent, boat, motorbike, vacuum cleaner, hairdryer, kettle, mattress, house, drill, carpet, wallet, keys",
    "ill": "a headache, the flu, a cold, a fever, back pain, toothache, cancer, diabetes, a cough, hay fever, insomnia, a broken arm, measles, stress",
    "when": "today, tomorrow, yesterday, next week, on Sunday, tonight, last year, in the morning, on Friday, at christmas, at seven, this summer",
    "year": "1066, 1492, 1789, 1815, 1914, 1945, 1969, 1989, 2001, 2012",
    "person": "mother, father, sister, brother, boss, friend, wife, husband, teacher, neighbour, grandmother, son, daughter, girlfriend, doctor, uncle",
    "plant": "roses, tomatoes, tulips, orchids, sunflowers, carrots, beans, strawberries, apple trees, cactuses, herbs, lilies",
    "game": "chess, poker, monopoly, go, scrabble, minecraft, tetris, bridge, backgammon, hide and seek, sudoku, tic tac toe",
    "firm": "Apple, Tesla, Toyota, Siemens, Amazon, Nestle, Shell, Boeing, Sony, Volkswagen, Netflix, IKEA, Coca-Cola, Nike",
    "job": "doctor, lawyer, pilot, teacher, nurse, plumber, baker, actor, singer, farmer, judge, carpenter, chef, astronaut, policeman, dentist",
    "code": "loop, function, class, list, array, regular expression, pointer, lambda, string, dictionary",
    "lang": "python, javascript, java, rust, haskell, php, ruby, go, perl, bash, sql, html, css",
    "knot": "tie, paper plane, bow, shoelace, napkin, shirt, scarf, bow tie, paper crane",
    "unit": "metre, mile, litre, gallon, pound, kilogram, ounce, inch, foot, hour, year, day, week, pint, teaspoon, acre",
    "water": "Danube, Nile, Thames, Amazon, Pacific ocean, Rhine, Atlantic, Loch Ness, Mississippi, Baltic sea",
    "part": "tyre, bulb, battery, belt, blade, wheel, plug, string, filter, lock",
}.items()}
