"""Words that tell names from other capitalised words, folded: lower case, no accents. Read by `desk.names`."""

from __future__ import annotations


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Given names in frequent use in French and English speaking schools, of many origins.
GIVEN = _split("""
aaliyah aaron abby abdallah abdel abdelaziz abdelhak abdelkader abdelkarim abdelmajid abdelmalek abdou abdoul
abdoulaye abdul abdullah abel abigail abraham absa achille achraf ada adalbert adam adama addison adel adela adelaide
adele adelie adelina adeline adem adil aditya adnan adolphe adrian adriana adriano adrien adrienne afonso agathe aglae
agnes agustin ahlam ahmad ahmed ahmet aicha aida aidan aiden aiko aileen aimee aimeric aisha aissa aissata aissatou
akash akim akram alain alan alana alassane alba alban albane albert alberta alberte alberto albertine albin alda aldo
aldric alec alejandra alejandro aleksander aleksandra alessandra alessandro alessia alessio alex alexa alexander
alexandra alexandre alexandrine alexane alexia alexis alfonso alfred alfreda alfredo alhassane ali alia alice alicia
alienor alima aline aliou alison alissa alistair alix aliya aliyah allan allen alma alois aloise alonso aloys alphonse
alphonsine althea alvaro alvin alya alycia alyssa amadou amael amaia amal amalia amanda amandine amani amar amara
amaury amaya ambre ambroise amelia amelie amelle amin amina aminata amine amir amira amit amna amy ana anabelle anae
anael anaelle anais ananya anas anastasia anastasie anatole anders andre andrea andreas andree andrei andres andrew
andrzej andy angela angele angelina angeline angelique angelo angus anh ania anibal anissa anita anjali anke ann anna
annabel annabelle annaelle annaick annaig anne annelise annette annick annie anouar anouchka anouck anouk anselme
anthea anthony antoine antoinette anton antonia antonin antonio antony anya apolline arabella aramis arantxa arcadi
archibald archie arda ariane arianna ariel arielle aristide arjun arlene arlette armance armand armande armandine
armando armel armelle arnaud arnauld arno arnold aron arsene artem arthur arthus artur arturo arwen arya arzel asa
asha ashley ashton asia asma asmae assa assane assia assya astou astrid asuka athanase athena athenais aubin aubree
aubrey aude audrey audric august augusta auguste augustin augustine aure aurel aurele aurelia aurelie aurelien aurore
austen ava avery avril axel axelle aya ayaan ayden ayesha ayla aylin aymane aymen aymeric ayoub azalee aziz aziza
azzedine babacar bachir badr bahia bakary baltazar baptiste baptistin barack barbara barnabe barney barry bart
barthelemy basil basile bastian bastien bathilde battista baudouin beatrice beatrix beatriz becky belen belinda bella
ben benedicte benedict benjamin bennett benoist benoit berangere berenger berenice bernadette bernard bernardo bernd
bernie bert bertha berthe bertille bertrand bess beth bethany betty beverley beverly bianca bilal bilel binta birgit
bjorn blaise blake blandine blanca bleuenn bob bobby bogdan bonnie boris boubacar boubakar bouchra boukary boutros
brad bradley brahim brandon brayan breanna brenda brendan brenna brett brian briac brianna brice brieuc brieg brigitte
britney brittany bronwyn bruce brune bruno bryan bryce bryony burak bushra byron cade caitlin caleb calvin camelia
cameron camil camila camilia camilla camille camillo can candice candide caner capucine cara carine carl carla carlo
carlos carlota carly carmen carole carolina caroline carolyn carrie carsten carter caryl casey casimir cassandra
cassandre cassie cassy catarina cateline catherine cathie cathy cecile cecilia cecily cedric celeste celestin
celestine celia celian celina celine celya cemil cengiz cerise cesar cesaire chad chadi chafik chahinez chaima chaimae
chantal charlene charles charley charlie charline charlotte charly cheikh chems cherif cherifa chester cheyenne chiara
chloe chris christa christel christele christelle christian christiana christiane christina christine christophe
christopher christy ciara cindy clair clara clarence clarisse clarissa claude claudette claudia claudie claudine
claudio claus clelia clea clement clementine cleo cleophee clemence clifford clint clotaire clotilde clovis clyde cody
colas coleen colette colleen colombe conan concetta connor conor conrad consuelo coralie coraline corentin corentine
corey corinne cornelia cornelius cory cosima cosimo cosme couro courtney craig cristian cristiano cristina crystal
curtis cynthia cypriane cyprien cyr cyriac cyriaque cyrielle cyril cyrille cyrus daan dagmar dagny dahlia daisy dakota
dalal dalia dalila damaris damian damien damon dan dana dani daniel daniela daniele daniella danielle danila danny
dante daoud daouda daphne daphnee dara darek daria dario darius darlene darren daryl dave david davide davina davy
dayana deacon debbie deborah declan deepak delia delphine demba demetrio denis denise deniz dennis denver denys derek
derya desmond devin devon dexter dhia diaby diana diane dianne diarra diarry didier diego dieter dietrich dieudonne
dilan dilara dimitri dina dinah dinesh diogo dion dirk divine divya diwan djamel djamila djenaba djeneba djibril
djilali dmitri dolores domenico dominic dominik dominique domitille don donald donatella donatien donna donovan dora
doreen dorian doriane dorine doris dorothea dorothee dorothy dory douglas doug dounia dov duarte dulce duncan dustin
dwayne dwight dylan eamon ebony eddy eden edern edgar edgard edith edmee edmond edmund edna edoardo edouard eduard
eduardo edward edwige edwin edwina efe eileen eirik ekaterina ela elaia elaine elea eleanor eleana elena eleonor
eleonora eleonore elettra elia eliah eliam eliana eliane elias elie eliette elif elijah eliott eliot elliot elliott
elina eline eliora elis elisa elisabeth elise elisee eliska elissa eliza elizabeth ella ellen ellie elma elodie eloane
eloan eloi eloise eloic elsa elsie elton elvin elvina elvira elvire elvis elya elyas elyes elyne elza ema emanuel
emanuela emeline emeric emerick emerson emery emil emile emilia emilie emilien emilienne emilio emily emir emma
emmanuel emmanuelle emmy emre emric emrys encarna enea engin enguerrand ennio enola enora enrico enrique enza enzo
eoghan eric erica erich erick erik erika erin ernest ernestine ernesto erwan erwann erwin esma esme esmee esmeralda
essence esteban estebane estelle ester esther estrella ethan ethel etienne etiennette euan eudes eugene eugenia
eugenie eulalie eunice eva evaelle evan evangeline evann eve evelyn evelyne evgeni evie ewa ewan ewen ewenn eymeric
ezechiel ezekiel ezra fabian fabien fabienne fabio fabiola fabrice fabricio fabrizio fadi fadila fadwa fahad faical
faith faiza fania fanch fanchon fanny fantine fanta faouzi fares farah farida farid faris fariza faroudja farouk
fatemeh fathi fatiha fatih fatim fatima fatimata fatma fatou fatouma fatoumata fatna faustin faustine fausto fay
faycal fedor felice felicia felicie felicien felicity felipe felix ferdinand fergus ferhat fernand fernanda fernande
fernando ferris fidele fiona fiorella firmin flavia flavie flavien flavio fleurette flora florent florentin florentine
florian floriane florie florine floris flynn fode foster foued fouad fouzia fran franca frances francesca francesco
francette franciane francine francis francisca francisco franck franco francois francoise frankie franklin frantz
franz fred freddie freddy frederic frederick frederik frederique freya friedrich fritz fulbert fulvio fumiko gabin
gabriel gabriela gabriele gabriella gabrielle gad gaelle gael gaetan gaetane gaia gail galina gareth garry gary gaspar
gaspard gaston gauthier gautier gauvain gavin gawain gemma genevieve geoff geoffrey geoffroy george georges georgette
georgia georgie georgina gerald geraldine geraud gerard gerardo gerda gerhard germain germaine gerry gertrude gervais
ghania ghislain ghislaine ghita giacomo gian gianni gideon gilbert gilberte gilda giles gilles gillian gina ginette
gino giorgia giorgio giovanna giovanni gisela gisele giselle giulia giuliana giulio giuseppe gladys glen glenda glenn
gloria godefroy godefroid goncalo gonzague gonzalo gordon grazia graziella greg gregg gregoire gregor gregory greta
gretchen guenael guenaelle guenole guenolee guerric gudrun guido guilaine guilhem guillaume guillemette guillermo
gunter gurvan gus gustav gustave gustavo gwen gwenael gwenaelle gwenda gwendal gwendoline gwendolyn gwenn gwennaig
gwenola gwenole gwladys gwyneth habib habiba haby hadassa hadi hadj hadja hadjar hadrien hafid hafida hafsa haidar
hailey hajar hakan hakim hakima hal halim halima halime hamadi hamed hamid hamida hamidou hamish hamza hana hanaa
hanae hanane hanna hannah hannelore hans harald harold haroun harouna harriet harris harrison harry harvey hasan
hashim hasna hassan hassana hassane hassen hatem hatice hawa haya hayat hayden hayley hazel hector hedi hedwige heidi
heike heinrich heinz helen helena helene helga helio heloise hendrik henk henri henriette henrik henrique henry
herbert hermann hermance hermeline hermine herve hicham hichem hila hilaire hilary hilda hind hippolyte hiroshi hoang
hocine hoel homer honore honorine horace hortense houcine houda houria houssam houssine howard hubert huberte hugh
hugo hugues huguette hugolin humbert humberto hussein husseyn huy hyacinthe iain ian ibrahim ibrahima ibtissam ida
idir idris idriss idrissa iga ignace ignacio igor ikram ilan ilana ilaria ilham ilhan ilian iliana ilias ilies iloan
ilona ilse ilyan ilyana ilyas ilyes ilyess imad iman imane imani imen imogen imrane ina ines inga inge ingrid inigo
innocent ioana ion ira irene irena irenee irina irma irmine irvin isa isaac isabel isabela isabeau isabella isabelle
isadora isaiah isaline isao iseult isha isidore iskander isla islem ismael ismahane ismail ismaila ismerie isobel
isolde israa issa issam isy itziar ivan ivana ivo ivette iwan iwona iyad izaak izia jaafar jackie jackson jacky jacob
jacqueline jacques jacquot jad jaden jael jaime jakob jakub jalal jalil jamal jamel james jamie jamil jamila jamison
jan jana jane janelle janet janette janice janick janie janine janis janna jannick jared jarod jaroslav jasmin jasmine
jason jasper javier jawad jaxon jay jayden jayson jean jeanette jeanine jeanne jeannette jeannie jeannine jeannot jeff
jefferson jeffery jeffrey jehanne jemima jemma jen jenna jennifer jenny jens jeremiah jeremie jeremy jerome jerry jess
jesse jessica jessie jessy jesus jibril jill jillian jim jimena jimmy jo joachim joan joana joanie joann joanna joanne
joao joaquim joaquin jocelyn jocelyne joe joel joelle joey johan johana johann johanna johannes john johnny johnathan
jolan jolie jon jonah jonas jonathan jordan jordane jordi jordy jorge jorgen joris jose josee joseph josephine josette
josh joshua josiah josiane josie josipa josse josselin josseline josue joubin jovan joyce juan juana juanita judicael
judie judith judy jules julia julian juliana juliane julianne julie julien julienne juliet juliette julio julius jun
junior jurgen juste justin justina justine kader kadiatou kadidia kadir kadija kai kaiden kais kaitlyn kaled kaleb
kalidou kalina kamal kamel kamelia kamil kamila kamilla kamran kandice karam kardiatou karel karen karim karima karin
karina karine karl karla karma karol karolina kasia kassandra kassim kat katarina katarzyna kate katell katerina kath
katharina katherine kathleen kathryn kathy katia katie katja katrin katy kavya kayden kayla kaylee kazim keira keith
kelia kellie kelly kelsey kelvin kelyan kemal ken kendall kendra kenji kenneth kenny kenza kenzi kenzo keren kerem
kerian kerry kevin keyla keziah khadidja khadija khadijah khadra khaled khalid khalil khalifa khanh kheira khira kiara
kieran kilian killian kim kimberley kimberly kimi king kira kiran kirk kirsten kirsty kjell klara klaus klervi kloe
konrad konstantin kristel kristen kristian kristin kristina kristof kriss kumar kurt kyara kyle kylian kylie kyllian
laetitia laeticia lahcen lahoucine laia laila lakshmi lalia lalie lamia lamine lana lance landry lara larbi larissa
larry lars latifa latif laura laure laureen lauren laurena laurence laurene laurent laurenzo laurette lauriane
laurianne laurie laurine laurynn lavinia lazare lea leah leana leandre leandro leane leanne leeroy leia leif leila
lena lenaic lenaick lenaig lenny lennox leny leo leocadie leon leona leonard leonardo leonce leone leonel leonhard
leonid leonie leonore leontine leopold leopoldine leroy lesley leslie leticia leto letizia levana levi lewis lexie
leyla leyna lia liah liam liana liane lidia lidwine lieve lila lilas lili lilia lilian liliana liliane lilla lillian
lillie lilly lilou lilwen lilwenn lily lilya lin lina linda lindsay lindsey line linh lino linus liona lionel lior
lisa lisbeth lise liselotte lisette lison lissa liv livia livie livio liz liza lizzie lloyd loan loane loann loanne
loeiz loeiza logan lohan lois loic loick lokman lola lolita loona loraine loredana lorelei loren lorena lorene lorenz
lorenza lorenzo loris lorna lorraine lorris lotfi lothaire lotta lotte lotus louane loubna louca louella lougane louis
louisa louise louison louisette louiza louka loukas loula louna loup lourdes lubin luc luca lucas lucette lucia
luciana luciano lucie lucien lucienne lucile lucille lucinda lucio lucius lucrece lucy ludger ludivine ludmila
ludmilla ludovic ludwig luigi luis luisa luka lukas lukasz luke lula luna lutz luz lyam lyana lycia lydia lydie lyes
lyla lylia lylou lyna lynda lyne lynette lynn lyra lyse lysa lysandre maaike mabel macha mackenzie maddie maddison
maddy madeleine madeline madelon madison mady mae mael maelan maelia maeline maelie maelig maella maelle maelly maelya
maelyne maelyss maelys maeva magali magalie magda magdalena magdalene magdeleine maggie magnus maguelone mahamadou
mahaut mahaud mahdi mahe maher mahina mahmoud mai maia maimouna maina maissa maiwen maiwenn maite maja malak malaika
malalai malaury malcolm malek malena malia malick malik malika malo malone malorie malou malvina malwina mamadou mamie
mandy manel manoe manoel manola manolo manon manoah manu manuel manuela manuella manveer mara marc marceau marcel
marcela marcelin marceline marcella marcelle marcello marcelo marcia marcin marco marcos marcus mareva margarida
margarita margaret margaux margerie margherita margo margot marguerite maria mariah mariam mariama mariame mariana
mariane marianna marianne mariano marie mariella marielle marietta mariette marieke marija marika marilou marilyn
marilyne marin marina mario marion marisa mariska marisol marissa marita marius marjolaine marjorie marko markus marla
marlene marley marlon marlyse marouane mart marta martha marthe martial martin martina martine marty martyn marvin
marwa marwan mary maryam maryana maryline marylou marylise marylene maryna maryse maryvonne masha massimo massinissa
mat matei mateo mateus mateusz mathe matheo mathew mathias mathieu mathilda mathilde mathis mathurin mathys matias
matilda matis matisse mats matt matteo matthew matthias matthieu matthis mattia mattis maud maude maureen maurice
mauricette mauricio maurine mauro maverick maxence maxim maxime maximilian maximilien maximin maxine maya mayeul
mayline mayssa mayssane mbaye meave medhi medina meg megan megane meggy mehdi mehmet mei meissa melanie melchior
melina melinda melissa mellie melody melodie melusine melvil melvin melvyn melwan memphis mercedes mercy meredith
meriadec meriem merlin merouane mert meryem meryl messaoud mia micah michael michaela michal micheal michel michela
michele micheline michelle mickael mickey miguel miguela mihai mika mikael mikaela mike mikhail mila milan milana
milann milena miles milla milly milo milos mimoun mina ming minh mira mirabelle miranda mireille mirela miriam mirko
miroslav misha missia mitch mitchell modeste mohamed mohammad mohammed mohand moira moise moktar molly momo mona
monica monika monique montassar montserrat morgan morgane morgann moritz morris mouad mouhamed mouloud mouna mounir
mounia mourad mouhamadou moussa mustafa mustapha muhammad muhammed muriel murielle murray mya mylan mylene mylina myla
myra myriam myrtille naal nabil nabila nabilla nacer nacim nacima nacira nada nadege nadejda nader nadia nadim nadine
nadir nadira nael naelle naelya nahel nahia nahil naila naima naim naina najat najib najoua najwa nallan nana nancy
nando naomi naomie napoleon narcisse narjes narjis nasrin nasser nassim nassima nassir nastasia natacha natalia
natalie natalina nataly natasha nathael nathalie nathan nathanael nathaniel naulwenn nawal nawel nayel nayla nazim
ndeye neal ned neela neila neil nejma nell nella nelly nello nelson nelya neo nestor neva neve neville ngoc nguyen
nicholas nick nicki nicky nico nicodeme nicol nicola nicolas nicole nicolette nicoletta nidal nidhal niels nigel nihad
nihal nikita niklas niko nikola nikolai nikolas nils nina nine ninel ninon nino nisrine nizar noa noah noam noan noann
noe noela noelia noelie noeline noella noelle noemi noemie nohan nohe nohlan nola nolan nolann noham nolhan nolwen
nolwenn nona nora norah norbert nordine noreen norhane noria norma norman nouhaila noumea nour noura nourdine
noureddine nouria nova nuala nuno nuria nusrat nyla nyna ocean oceane octave octavia octavie octavien odalys odelia
odette odile odilon odin odon ofelia ogier olaf olan oleg olena olga oliver olivia olivier ollie olwen olympe olympia
omar omayma ombeline ombline omer omran ondine onesime onur oona ophelia ophelie orane oren oriana oriane orion
orlando orlane ornella orphee orsola orso oscar oskar osman osmane ossama oswald othman othmane otis otto ottilie
ouahiba ouarda oulaya oumaima oumar oumarou oumou oumy ouria oussama ousmane owen pablo paco paige palmyre paloma
pamela paola paolo pape parfait parker parveen pascale pascaline pasqual patrice patricia patricio patrick patrik
patsy patty paul paula paule paulette paulin paulina pauline paulo pavel paz pedro peggy penelope penny per percival
perceval percy perez perig perla perline pernille perrine pete peter petra petronille petru petrus peyo phil philibert
philip philippa philippe philippine phillip philomene phoebe phuong pia pierce pierric pierrick pierrette pierrot
pieter pietro pilar piotr pippa placide pol polina pollyanna polly pooja powell prakash pranav preston primael prince
priscilla priscille prisca priya prosper prune quang quenten quentin quincy quitterie rabah rabia rachael rachel
rachelle rachid rachida racine radia radhouane radoslaw rafael rafaela rafaelle rafal rafik raimundo rainer raissa raj
raja rajesh rakesh ralf ralph ramata rami ramon ramona ramatoulaye ramzi ramzy rana randall randy rani rania ranya
raoul raphael raphaela raphaele raphaelle raquel rashid rashida raul raven ravi rawan rayan rayane rayanne raymond
raymonde rayna razane rebecca rebekah reda reece reem regina reginald regine regis reina remi remo remy renan renald
renata renate renato renaud rene renee renelle renzo reuben rex rhea rhiannon rhoda rhys ria riad riadh rian ricarda
ricardo riccardo richard richarda rick rickie ricky rico rihab rihanna riley rim rima rina rita ritchie ritva riwal
riwan riyad roan rob robbie robert roberta roberte roberto robertine robyn rocco roch rochelle rod rodger rodney
rodolphe rodrigo rodrigue roger rogerio rokhaya roland rolande rolf romain romaine roman romana romane romaric romeo
romina romuald romy ron ronald ronan ronny rory rosa rosalia rosalie rosalind rosalinde rosaline rosalyn rosanna
rosario roseline roselyne rosella rosemary rosemarie rosette rosie rosina rosine rosita roslyn ross rowan roxana
roxane roxanne roy royce rozenn rozen ruben rubens rudi rudolf rudolph rudy rufin rupert russell rutger ruth ryad ryan
ryane rym saad saadia sabah saber sabina sabine sabre sabri sabria sabrina sabrine sacha sadia sadio safa safae
saffron safia safiatou safiya safwan sahar sahra said saida saif sakina sakura salah salem salim salima salimata
saliha saliou sally salma salman salome salomon salvador salvatore salvina sam samantha samar samara sami samia samir
samira sammy samson samuel samuele samy sana sanaa sanae sandra sandrine sandro sandy sanne santiago santino sanjay
saphir saphia sara sarah sarai saray sarina sarra sascha sasha saskia satine saul savannah savinien sawsan scarlett
scott sean sebastian sebastiao sebastien sega segolene sekou selena selene selim selima selina selma semih sena
seraphin seraphine serena serge sergei sergio servane servais seth severin severine seydou seynabou shahid shaima
shaina shan shana shane shania shanice shanna shannon sharif sharon shaun shauna shawn shayan sheila shelby sheldon
shelley sherine sherry shirin shirley shiva shona shreya siaka siana sibel sibylle sid sidney sidonie siegfried
siegrid sienna sigrid siham sihem silas silke silvain silvana silvia silvio sim simeon simon simona simone simonetta
sinan sindy sinead sira siriane sita siwar sixte sixtine skander skye skyler slavka slimane sloane smail sofia sofiane
sofie sohan soizic soizick solal solan solange solann soledad solena solene solenn solenne soline solveig sonia sonja
sonny sophia sophiane sophie sophonie soraya soren sory soufiane soukaina souleymane soumaya spencer stacey stacy stan
stanislas stanislaw stanley stefan stefania stefano steffen steffi stefanie stella sten stephan stephane stephania
stephanie stephanne stephen steve steven stewart stina stuart suat sukaina suleyman sullivan sultan sumeya sunita suri
susan susanna susanne susie suzan suzanna suzanne suzel suzette suzie suzon sven svetlana swann swan swen syana
sybille sydney syeda sylla sylvain sylvaine sylvana sylvette sylvia sylviane sylvie sylvio syrine tabatha tabitha tad
taha tahar taina tais takoua talia talya tam tamara tamas tami tammy tan tancrede tania tanguy tanya tao taous tara
tarek tariq tasnim tatiana tatum taylor tayeb taylan ted teddy telmo telma tendry teo teodora teofilo terence teresa
terrence terri terry tess tessa thais thalia thalie than thanh thea theau thelma theo theodora theodore theophane
theophile theotime theresa therese thelio thi thiago thibaud thibault thibaut thiebaud thiefaine thien thierno thierry
thiziri thom thomas thomasina thor thuy thyago tia tiago tiana tidiane tiffany tifenn tiffen till tilda tilly tim
timea timeo timo timothe timothee timothy tina tino tiphaine tiphanie tiphany titia titiana titien titouan titus
tiziano tobias toby todd tom tomas tomasz tomasina tommaso tommy toni tonia tonino tony tracey tracy trent trevor
tricia trinity tristan tristana troy trudy tuan tudal tudi tudual tugdual tullia turia tycho tyler tymeo tyna tyron
tyrone tyson ugo ulysse ulrich ulrike umberto uma una urbain uriel ursula ursule usman uwe valentin valentina
valentine valeria valerian valeriane valerie valery valeska valia vanessa vania vanille vanina vasco vaclav vanna
varun vassili vassilis venus vera veronica veronika veronique vianney vicente vick vicky victoire victor victoria
victorien victorin victorine viet vijay vikram viktor viktoria vilma vincent vincente vincenzo vinciane vinicius viola
violaine violet violeta violetta virgile virginia virginie vishal vitor vittoria vittorio viviana viviane vivien
vivienne vladimir volkan wael wafa wahib wahiba walid wallace wallis walter wanda warda warren wassil wassila wassim
wayne wendel wendell wendeline wendy werner wesley wessim widad wilfrid wilfried wilhelm will willem william williams
willie willy wilma wilson winifred winnie winona winston wissam wissal wissem wojciech wolfgang woody xavier xaviere
ximena xiang yacine yacouba yacoub yael yaelle yago yahia yahya yamina yan yaniis yanis yann yanna yannael yannick
yannis yannig yaroslav yasmin yasmina yasmine yasin yassin yassine yassir yazid yelena yeliz ylan yoan yoana yoann
yoanna yohan yohann yolaine yolanda yolande yona yonas yoni yorick youcef youenn youness younes youri yousra youssef
youssouf ysaline ysaure ysee yseult yuki yulia yuliana yuna yuri yusuf yvain yvan yves yvette yvon yvonne yvonnick zac
zacharia zacharie zachary zachery zack zahia zahir zahra zaia zaina zainab zak zakaria zakariya zaki zanna zara zaynab
zayd zayn zeina zeinab zelda zelia zelie zena zeineb zelina zephyr zephyrin zeynep zia zian ziad zied zina zinedine
zineb zita ziyad zoe zofia zohra zola zoltan zora zoran zoubida zouhair zoulikha zsofia zuzana zyad adelino aloysius
anneke anselm arend arnulf balthazar bea bettina blerim bojan caspar caspian cato ceylan ciaran ciro cosette dafne
davi deirdre eabha eamonn emine eryn eudoxie fatoumatou fionn florina gintaras giada halil hatim hendrika hrvoje ilker
ingeborg irfan ishaan izabela jelena jovana jozef juergen kacper katalin keeley krzysztof laszlo liesbeth ludo
magnolia malgorzata marek mariusz milica mirjam nadja niamh nikolaos noor oisin orla panagiotis pawel petar radu rhona
rohan roisin saoirse sefa siobhan snezana stavros stoyan svenja szymon tadeusz tereza thandi tomislav torsten vesna
vlad wiktor yasemin yiannis zbigniew zeljko zlatan eloann kelian aelig azenor bran brendann budoc enogat erell fragan
gaud goulven gwenvael haude heodez herle jakez jezekel kado katellig koulm mari maelwenn mazhev mikel morvana nominoe
padrig riwanon ronana sezni sterenn taran tangi tifaine tudwal vefa ylana
""")

# Given names that are ordinary words as well: a name only where its place in the sentence says so.
TWOFOLD = _split("""
come manuel greta aime ambre amber ange april art august aurore autumn avril aya bill blanche brune can candide
capucine carol celeste cerise charity chase claire clair clemence colombe constance dawn dean desire divine don drew
earl eden essence faith fay felicite felicity fidele fleur florence foster france frank gene germain grace grant guy
harmony hazel heather holly honore hope hunter innocent iris isla ivy jade jack jasmin jay jean jolie joy june juste
king lance laurier line lin loup lilas lorraine lotus lou lucky luna marguerite marin marina marine mark martial
martin mason mat max may melody mercy miles modeste myrtille noel nova nine ocean oceane octave olive olympe opale
orion parker parfait pascal pat paul pearl penny perle pierre pilar placide prince prosper prudence prune racine
reine rich rob robin romain romaine romane rose ruby sabre sandy saphir satine sim sky spencer sue summer swan tan
than thi tilly till tom toni trinity vanille venus victoire viola violet violette will zephyr said sale ron rex per
rim red sega tam ali mai mari mira nour jun ira kim lise loan mae
""")

# Surnames that are ordinary words: hidden where they stand as names, left alone in small letters.
WORDY = _split("""
petit grand blanc noir roux brun gros long court moulin marchand boulanger berger meunier mercier fournier masson
charpentier boucher lemaire roy roi prince chevalier bois dubois dupont pont fontaine riviere vallee montagne maison
chateau rue place perrin faure royer picard breton normand bourgeois poulain lebrun mouton lapin renard poirier
pommier olivier laurier bon beau bel joly jolie gentil sage doux loyal vidal fort leroux hiver printemps brown white
black green young king hill wood baker cook smith turner walker carter page price power reader
""")

# Words that begin sentences, subjects and labels, or bear a capital by custom: never taken for a name by themselves.
ORDINARY = _split("""
classroom outcomes searching excellence august tuesdays mondays wednesdays thursdays fridays saturdays sundays moving
adding foundation break salaires decouverte python quelqu growth hacker wales scotland ireland finland federation lab
developpeur developpeuse teams meet chromebooks assistant copilot
feb mar apr jun jul aug sep oct nov dec april may june sir madam postmaster compta inconnu noreply wordpress
changement changements monsieur madame maire fw tr contactez appelez demandez essayez a aa abord absence absences
absent accepte acces accord accueil achats acte action actualites adjoint adjointe adresse adresses affichage afin
agence agenda agent agents ah ai aide ailleurs ainsi ajout album alerte alors ami amie amicalement amis amities an
ancien ancienne anglais annee annees annexe annonce annulation annulee anticipes aout appareil appel appels
application appli apprentissage apres apropos arabe archive archives arret arrivee arrondissement article arts as
assez assistance assistante assistant association atelier attention atelierdescarnets attestation au aucun aucune
audio aujourd aujourdhui auparavant aupres auquel aussi auteur auto automatique autour autre autres auriez aux avant
avec avez avis avoir avons avril bac badge balises bande banque barre base bbq beaucoup besoin bien bientot bienvenue
bilan billet biologie blocage bloque boite bon bonjour bonne bonnes bons bonsoir bordereau bouton brevet brouillon bug
bulletin bulletins bureau bus but c ca cable cables cache cahier calendrier camera campus candidat candidature cantine
capture car carnet carnets carte cartes cas cause ce ceci cela celle celles celui centre cependant certaines certains
certes certificat ces cet cette ceux chacun chacune chaque charge charte chaudiere chef cher chere cheres chers chez
chimie choix chromebook chrome ci circonscription civilite classe classes classement cle clients clos cloture club cms
co code codes cole collectif college collegue collegues combien comite comme comment commande commentaires commerce
commission commune communaute communication compagnie compte comptabilite comptable comptables comptes concernant
concernees concernes concours conditions confirmation conformement confirmez connexion conseil conseiller conseillere
conseils consigne consultez contact contacts contrat contre controle convention convocation copie cordialement
cordiales corps correction correspondance cote cour courriel courrier cours coucou course creation cuisine cv cycle d
dans date dates de debut debutant decembre deces decision declaration dedans dehors deja delai delegue demain demande
demandes depart departement depuis dernier derniere derniers des desabonner desinscription desole desolee dessin
dessous dessus deux deuxieme devant devis devoir devoirs dimanche diplome dire directeur directeurs direction
directrice discipline dispense dispositif disponible divers document documents doit doivent dois donc donnees dont
dossier double doublon douze droit droits du duplicata duree e ecart echange echec echeance ecole ecoles ecran ecrit
ecrivez ecriture editions editeur education effectif effectifs egalement eh elementaire eleve eleves elle elles email
emploi emplois en encore encouragements enfant enfants enfin enregistrement enseignant enseignante enseignants
enseignement enseigner ensuite entre entree entreprise entretien entretiens enveloppe environ envoi envoie envoye
envoyer envoyez epreuve equipe erreur erreurs es espace espagnol espece essai essais est et etablissement etais etait
etant etape etat ete etes etranger etre etudiant etudiante etude etudes eu euro euros eux evaluation evaluations
evaluer eveil evenement examen excellente exemple exercice existe expediteur explication export exports expression
extrait f fac face facture factures facturation faire fais fait faites familial famille familles faudrait faut
fermeture fete feuille fevrier fiche fiches fichier fichiers fille filles fils filtre fin finalement firefox fois
fonction fonctionnalite fonctionnement fonctions font formation formations forme formulaire forum fournisseur fr frais
francais france frere fuite g garcon garderie general generale gentil geographie gestion gestionnaire google gouter
grammaire grand grande grands grec gros groupe groupes gs guide gymnase h habilitation handicap haut hello helpdesk
hep heure heures heureuse heureusement heureux hier histoire horaire horaires hors hotel hui huit i ici ical
identifiant identifiants identite if ignore ii iii il ils image images imp import importation important impossible
imprimante impression indication indique infirmiere infirmerie info informatique information informations infos
inquietant inscription inscriptions inspecteur inspection inspectrice installation instantane institut institution
instructions integration interface interne internet interlocuteur intitule introduction inverse invitation inviter
iphone ipad itou j jai jamais janvier jardin je jeton jeu jeudi jeudis jeune jeunes joindre joint jour journal journee
jours juillet juin juridique jusqu jusqua juste justement justificatif l la laboratoire langue laquelle latin le
lecture legende lequel les lesquels lettre lettres leur leurs liaison liberte licence licences lien liens lieu ligne
lignes liste listes litterature livraison livre livret livrets local locaux logiciel logiciels login logo loin
longtemps lors lorsque lu lui lundi lycee lycees m ma machine mademoiselle mai mail mails mairie maintenance
maintenant mais maison maitre maitres maitresse majuscules malgre malheureusement maman manque marche mardi mars
master maternelle mathematiques maths matiere matieres matin mauvais maximum me meilleur meilleure meilleures
meilleurs membre membres meme memo mention menu menus merci mercredi mere mes mesdames messagerie message messages
messieurs mesure methode methodes mettre mi micro microsoft midi mien mieux mille minimum ministere mise mission mlle
mm mme mobile mode modele modeles modification module moi moins mois mon monde monnaie montant mot mots motif moyen
moyenne multi municipal musique n na naissance nationale national nature navigateur navre ne neanmoins neuf ni niveau
niveaux noel nom nombre noms non nos note notes notification notifications notre nous nouveau nouveaux nouvel nouvelle
nouvelles novembre nul numerique numero numeros o objet observation occasion octobre office officiel offre oh ok on
onglet ont onze option options or ordinateur ordre organisation oral orientation origine ou oublie oui outil outils
outlook ouvert ouverture p page pages paiement panne papa papier paques par parce pardon parent parents parfait
parfois parfaitement parmi parole part partage partenaire partenariat partenaires partie partir partout pas passage
passe pause pays pdf pedagogique pendant pense perdu pere periode periodes periscolaire permission personne personnel
personnels perte petit petite petites petits peu peut peuvent peux philosophie phone photo photos physique piece
pieces pire piscine place plage plan planning plantage plateforme plein plupart plus plusieurs plutot poids point
points police politique portable portail porte portfolio possible poste posts pour pourquoi pourrait pourriez pourtant
pouvez pouvoir pouvons pratique pratiques pre preavis precision premier premiere premiers prenom prenoms presence
present presentation president presidente presse pret prevenez prevision priere primaire principal principale prix pro
probleme problemes procedure prochain prochaine procuration production produit prof professeur professeure professeurs
professionnel profil profs programme programmes projet promotion pronote proposition protection provisoire proviseur
proviseure ps pub public publicite puis puisque purge q qr quai quand quant quarante quart quatorze quatre quatrieme
que quel quelle quelles quelqu quelque quelques quels question questions qui quinze quoi quoique r rang rappel
rappelez rapide rapidement rapport ras rdv re realisation recapitulatif recent reception recherche recherches
reclamation reconnaissance rectorat recu recue redaction rediger reduction reference referent referente referentiel
referentiels refus refuse regie region regarde regardez registre reglage reglages regle reglement regles regroupement
relance relation relecture releve religion relisant remarque remboursement remerciement remerciements remise remontee
remplacant remplacante remplacement rencontre rencontres rendez renouvellement renseignement renseignements rentree
rep repas repere repondre reponse reponses report representant reprise reseau reservation resiliation respectueusement
responsable responsables reste resultat resultats resume retard retards retour retrait retraite reunion reunions rib
rien rubrique rvd s sa saisie saison salle salut salutation salutations samedi sans sante sauf sauvegarde savez savoir
sc science sciences scan scolaire scolarite se seance secondaire seconde secretaire secretariat secteur section
securite sein seize selon semaine semaines semestre sens sensibilisation sept septembre serais serait serie serieux
serveur service services ses session seul seule seulement seuls si siecle siege siecles signalement signature signe
simple simplement sincerement sinceres site situation six sixieme smartphone sms societe soir soiree sois soit
soixante solution somme sommes son sondage sont sortie soucis souci souhait souhaite soulagement sous souvent
specialite spectacle sport stage stagiaire standard statistiques statut ste structure style subvention suis suite
suivant suivante suivi sujet super supplement support suppression sur surtout surveillant surveillante surveillants
svp svt sync synchronisation syndicat synthese systeme t ta table tableau tableaux tablette tablettes tache tard tarif
tarifs te technicien technicienne technique techniques technologie tel telecharger telechargement telephone tels temps
tente terminale tes test teste tests tete texte textes tien titre titulaire to toi ton toujours tour tous tout toute
toutefois toutes trace traces traduction trafic trait traitement trajet transfert transfere transport travail travaux
treize trente tres trimestre trimestres trois troisieme trop trouve trouver tu tuteur tutrice twitter type types u un
une unite universite url urgence urgences urgent usage usages utilisateur utilisateurs utilisation utiliser v va
vacances vais valable valeur valeurs validation vas veille vendredi vendredis vente verifiez verification vers version
veuillez via vice victime vie vieux village ville vingt virement virus visite vite vitesse vivre voeux voici voila
voie voir voire vont vos votre voudrais voudrait voulez vous voyage voyez vrai vraiment vu vue vues w wc web webmail
wifi windows word x y youtube z zero zone about above absolutely access according account accounts actually add added
additional address adult advice after afternoon again ago all almost already also although always am among and another
answer any anyone anything app apps apologies appointment approval are around ask asked assembly assessment
assessments at attached attachment attendance authority available away back backup bad bank because been before behind
being below best better between billing biology birthday book booking both bottom brief browser budget business busy
button buttons buy by call calendar can cannot cards careful case cases certificate change changes check chemistry
child children choose christmas class click close closed coach colleague colleagues come compare computer computers
computing conduct confirm consent could council country courses cover create credit criteria current curricula
curriculum daily data day days deadline dear december delete delivery demo department deputy description desk details
device devices did different digital director do does done down download drama drive due during each early easter edit
editor either else emergency empty end english enquiry enter error errors especially european evening event every
everyone everything evidence exam exams example except excited exit expected expires external faculty failed
faithfully family father faq february feedback fees few field file files finance find first five fix folder folders
following for format forms forward four fri friday friends from full further future games geography german get getting
gift give given global go going good governors grade grades greetings group groups growth had half happy has have
having he head headteacher health help her here hers hi high him his history holiday holidays home homework hour hours
house how however hurry id idea ideas immediate immediately in inbox incident include incoming index inside install
instalments instead international internal into invoice invoices is issue issues it its italian january job join
joined july just keep key keys kind kindest kindly know last late later latest learn learning leave lesson lessons let
level levels library license limits line link list load lock locked log look looking lots lovely lunch made mailbox
main make management manager many march mark marks math mathematics maybe meanwhile meeting meetings mini mins miss
missing mock monday money month monthly months more morning most mother move mr mrs ms much mum must my myself name
names need needed network never new news newsletter next nice night no nobody none nor not nothing november now number
numbers nurse october of off offer often old once one ones only online open opening order original originally other
others our out outstanding over overview own pack paid park parts password passwords past pay payment payments pe per
perfect perhaps person phones physics pick pin please policy portal portfolios post practice press primary print
printer privacy probably problem problems product professor progress project prompt proposal provide pupil pupils
purchase put quarter query quick quickly quiet quite quote quotes ran rate rather read ready real really reason record
records refund regards regarding register registration regular release remind reminder remote remove renewal reply
reports request requests required reset respond response rest results return returned returning review right room
rooms run safe safeguarding said sales same saturday save say schedule school schools screen screens search second
secondary secretary secure security see seems select send sender senior sent september serious set settings several
shall share she should show sign signed since sincerely sites skill skills slot slots so social software some someone
something soon sorry sounds spanish spreadsheet staff standards start state status step still stop student students
studies study subject subjects submit subscription such summary sunday sure survey switch system systems tab tables
tablets take talk task teacher teachers team teams tech technical technology tell term terms text than thank thanks
that the their them then there therefore these they thing things this those three through thu thursday thus ticket
tickets time times timetable timetables title today together tomorrow too top topic total touch training transfer
travel trip trust try tue tuesday tutor two uncle under undelivered unfortunately university unless until up update
updates upgrade upload urgently us use used user username users using usual usually value various very view virtual
visit voice wait warm was watch way we website wed wednesday week weekend weekly weeks welcome well were what when
where whether which while who whole whose why will wish wishes with within without wonderful work workbook working
works workshop worst would write wrong year years yes yesterday yet you your yours yourself zip admin android anrt
apel api ascii asap atsem aesh avs aed amh bcd bo bts bcc cap capes capteur caf cdi cdd cdlt cd cm cp ciel cli cnil
cnrs cpe cr crpe csv css cte ctrl cvc dane dasen dgfip dhl dm dns docx doc dpd dpo drh dsi dsden dvd eac eal edt eip
emc ent ens epi eps erp esp eple etc fcpe fle ftp fwd fyi gdpr ges gfe gif gmail gps greta hdmi ht html http https ia
ide idf iel ien ics imap ip isbn iso ine isf jpeg jpg json kb km ko lan ldap led legt lgt lv lva lvb mac mailer mb md
mdp mfr mo mp msdos mysql nas nb nsi odt onenote onedrive ote pai pap paf pc pcs png pix php pial pj pmr pp ppre pps
ppms psc qcm ram rased rh rgpd rne rpi rss sav saml scp sdis segpa seo sepa sgbd sharepoint sim sip siret siren skype
sla smtp spam spf ssd ssl sso sql srhb ssh stmg svg tcp tice tls tni tnt tp tpe tps trs ttc tv txt udp uai uhd ui ulis
umts upe upi usa usb utc utf uk vae vga vpn vs wan xls xlsx xml zoom safari edge chromium linux debian ubuntu macos
ios apple samsung galaxy huawei xiaomi lenovo dell asus acer hp epson canon brother excel powerpoint libreoffice
openoffice acrobat adobe whatsapp facebook instagram linkedin tiktok telegram signal snapchat netflix amazon paypal
stripe visa mastercard moodle scratch geogebra ecarnet edupronote ecoledirecte educonnect onde affelnet parcoursup
arena magistere tribu eduscol cned canope lsu lpi sconet webex teamviewer anydesk thunderbird office365 onelogin
wikipedia duckduckgo bing opera brave bluetooth ethernet dank danke vielen guten tag abend hallo mit freundlichen
grussen grusse freundliche liebe lieber sehr geehrte geehrter bitte das der die ein eine und nicht ist wir ich sie
geht betreff datum von gesendet weitergeleitete nachricht zeugnis stundenplan klasse passwort het hola buenos buenas
dias tardes saludo saludos gracias adjuntamos sigo boletin matricula senha boa tarde ja obrigado obrigada buongiorno
buonasera grazie saluti confermiamo registro groetjes hartelijk segreteria secretaria istituto ora ya een wel afwezig
assunto asunto oggetto inviato enviado para cordiali enverront begin forwarded wrote cc mailto bcp cdt cordt
bjr bsr slt dr pr mgr mlles mmes mister conges ferie recreation plastiques espagnole emi lcl histoire-geo maple oak
cedar birch elm ash willow pine mesanges hirondelles papillons coccinelles abeilles lions tigres dauphins blanc bleu
rouge vert jaune noir rose orange violet gris
""") - _split("rose mark violet")

# Places that are named often; part of an organisation's name or of an address they go with it.
PLACES = _split("""
paris lyon marseille toulouse nice nantes strasbourg montpellier bordeaux lille rennes reims brest lorient vannes
quimper grenoble dijon angers nimes villeurbanne limoges tours amiens metz besancon perpignan orleans mulhouse rouen
caen nancy argenteuil montreuil avignon poitiers versailles creteil pau cannes antibes calais dunkerque colmar bourges
valence troyes chambery cayenne londres london berlin madrid rome bruxelles geneve lausanne montreal quebec dublin
bretagne normandie alsace lorraine corse provence occitanie aquitaine morbihan finistere armor gironde france europe
belgique suisse espagne italie allemagne angleterre royaume uni etats unis maroc algerie tunisie senegal afrique asie
amerique francais francaise francaises anglaise allemand allemande italien italienne british french american europeen
europeenne franceconnect fontainebleau seine loire rhin rhone
""")

# Before a name.
CIVILITIES = _split("""
m mr mrs ms mme mmes mm mlle mlles dr pr me mgr madame monsieur mesdames messieurs mademoiselle maitre docteur miss
mister sir madam doctor frau herr senora senor
""")

# Before a name, at a letter's head and foot.
GREETINGS = _split("""
bonjour bonsoir salut coucou hello hi hey dear cher chere chers cheres merci thanks buongiorno hola hallo lieber
liebe cordialement regards signe signed
""")

# Whose name is a pupil's.
PUPILS = _split("""
eleve eleves fils fille filles enfant enfants cousin cousine frere soeur neveu niece petit-fils ecolier ecoliere
collegien collegienne lyceen lyceenne etudiant etudiante camarade camarades garcon jumeaux jumelles pupil pupils
student students son daughter daughters sons child children kid kids brother sister nephew
""")

# Whose name is another person's.
ADULTS = _split("""
enseignant enseignante enseignants professeur professeure professeurs prof profs directeur directrice principal
principale proviseur proviseure collegue collegues mari femme epoux epouse conjoint compagne famille familles
infirmiere infirmier cpe secretaire gestionnaire surveillant surveillante surveillants inspecteur inspectrice
conseiller conseillere parent parents maman papa mere pere tuteur tutrice assistante assistant intervenante
remplacant remplacante stagiaire technicien technicienne teacher teachers colleague colleagues headteacher head
tutor wife husband mum dad mother father family aesh atsem avs oncle tante grand-mere interlocuteur interlocutrice
candidat candidate cv usager adherent
""")

# Fields of forms that hold names.
LABELS = _split("""
cc copie attn destinataire nom noms prenom prenoms name names surname contact responsable signataire beneficiaire
""")

# Between what belongs to somebody and the name.
LINKS = _split("""
de d du des of est is appelle appelee nomme nommee prenomme prenommee called named
""")

# What belongs to a pupil, and whom pupils belong to.
HELD = _split("""
maman papa mere pere parent parents tuteur tutrice carnet carnets livret livrets bulletin bulletins dossier dossiers
cahier photo photos notes absence absences retard mother father mum dad portfolio portfolios scolarite inscription
""")

# What belongs to anybody.
OWNED = _split("""
compte comptes acces passe nom profil session mail adresse place part account message
""")

# A lone capitalised word behind these is a thing or a place.
SHIELDS = _split("""
le la les l un une the a an au aux ce cet cette ces mon ma mes notre nos votre vos leur leurs my our your their dans
sur sous en in on at via into depuis version logiciel application appli site format type modele fichier page onglet
bouton menu module rubrique navigateur systeme marque ville rue avenue place code year grade no of each every ticket
erreur error periode salle room niveau cycle
""")

# Parts of names, and articles.
PARTICLES = _split("""
de du des la le les van von der den ben bin el al da dos di bint st ste saint sainte
""")

# Before an organisation's own name.
KINDS = _split("""
ecole ecoles college colleges lycee lycees institut institution istituto universite academie rectorat mairie commune
groupe ensemble creche association societe entreprise agence cabinet editions librairie fondation internat ies cfa
mfr erea sarl sas sasu eurl sci scop snc garderie maternelle primaire
""")

# Behind an organisation's own name.
SUFFIXES = _split("""
school college academy university institute trust nursery ltd limited inc gmbh llc plc ag bv nv spa srl sarl sas
sasu eurl scop
""")

# Done to persons: parlé à Lou, spoke to Lou.
TELLING = _split("""
parle parler dit dire demande demander ecrit ecrire envoye envoyer donne donner transmis transmettre montre explique
rappelle telephone repondu repondre prete prevenu spoke speak talked talk said wrote write gave give sent send
""")
