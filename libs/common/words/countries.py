"""Countries by ISO 3166-1 code, in English, simplified Chinese and Malay (Unicode CLDR)."""

from collections.abc import Mapping
from typing import Final

_ROWS: Final = """
AD|Andorra|安道尔|Andorra
AE|United Arab Emirates|阿拉伯联合酋长国|Emiriah Arab Bersatu
AF|Afghanistan|阿富汗|Afghanistan
AG|Antigua & Barbuda|安提瓜和巴布达|Antigua dan Barbuda
AI|Anguilla|安圭拉|Anguilla
AL|Albania|阿尔巴尼亚|Albania
AM|Armenia|亚美尼亚|Armenia
AO|Angola|安哥拉|Angola
AQ|Antarctica|南极洲|Antartika
AR|Argentina|阿根廷|Argentina
AS|American Samoa|美属萨摩亚|Samoa Amerika
AT|Austria|奥地利|Austria
AU|Australia|澳大利亚|Australia
AW|Aruba|阿鲁巴|Aruba
AX|Åland Islands|奥兰群岛|Kepulauan Aland
AZ|Azerbaijan|阿塞拜疆|Azerbaijan
BA|Bosnia & Herzegovina|波斯尼亚和黑塞哥维那|Bosnia dan Herzegovina
BB|Barbados|巴巴多斯|Barbados
BD|Bangladesh|孟加拉国|Bangladesh
BE|Belgium|比利时|Belgium
BF|Burkina Faso|布基纳法索|Burkina Faso
BG|Bulgaria|保加利亚|Bulgaria
BH|Bahrain|巴林|Bahrain
BI|Burundi|布隆迪|Burundi
BJ|Benin|贝宁|Benin
BL|St. Barthélemy|圣巴泰勒米|St. Barthelemy
BM|Bermuda|百慕大|Bermuda
BN|Brunei|文莱|Brunei
BO|Bolivia|玻利维亚|Bolivia
BQ|Caribbean Netherlands|荷属加勒比区|Belanda Caribbean
BR|Brazil|巴西|Brazil
BS|Bahamas|巴哈马|Bahamas
BT|Bhutan|不丹|Bhutan
BV|Bouvet Island|布韦岛|Pulau Bouvet
BW|Botswana|博茨瓦纳|Botswana
BY|Belarus|白俄罗斯|Belarus
BZ|Belize|伯利兹|Belize
CA|Canada|加拿大|Kanada
CC|Cocos (Keeling) Islands|科科斯（基林）群岛|Kepulauan Cocos (Keeling)
CD|Congo - Kinshasa|刚果（金）|Congo - Kinshasa
CF|Central African Republic|中非共和国|Republik Afrika Tengah
CG|Congo - Brazzaville|刚果（布）|Congo - Brazzaville
CH|Switzerland|瑞士|Switzerland
CI|Côte d’Ivoire|科特迪瓦|Cote d’Ivoire
CK|Cook Islands|库克群岛|Kepulauan Cook
CL|Chile|智利|Chile
CM|Cameroon|喀麦隆|Cameroon
CN|China|中国|China
CO|Colombia|哥伦比亚|Colombia
CR|Costa Rica|哥斯达黎加|Costa Rica
CU|Cuba|古巴|Cuba
CV|Cape Verde|佛得角|Cape Verde
CW|Curaçao|库拉索|Curacao
CX|Christmas Island|圣诞岛|Pulau Krismas
CY|Cyprus|塞浦路斯|Cyprus
CZ|Czechia|捷克|Czechia
DE|Germany|德国|Jerman
DJ|Djibouti|吉布提|Djibouti
DK|Denmark|丹麦|Denmark
DM|Dominica|多米尼克|Dominica
DO|Dominican Republic|多米尼加共和国|Republik Dominica
DZ|Algeria|阿尔及利亚|Algeria
EC|Ecuador|厄瓜多尔|Ecuador
EE|Estonia|爱沙尼亚|Estonia
EG|Egypt|埃及|Mesir
EH|Western Sahara|西撒哈拉|Sahara Barat
ER|Eritrea|厄立特里亚|Eritrea
ES|Spain|西班牙|Sepanyol
ET|Ethiopia|埃塞俄比亚|Ethiopia
FI|Finland|芬兰|Finland
FJ|Fiji|斐济|Fiji
FK|Falkland Islands|福克兰群岛|Kepulauan Falkland
FM|Micronesia|密克罗尼西亚|Micronesia
FO|Faroe Islands|法罗群岛|Kepulauan Faroe
FR|France|法国|Perancis
GA|Gabon|加蓬|Gabon
GB|United Kingdom|英国|United Kingdom
GD|Grenada|格林纳达|Grenada
GE|Georgia|格鲁吉亚|Georgia
GF|French Guiana|法属圭亚那|Guiana Perancis
GG|Guernsey|根西岛|Guernsey
GH|Ghana|加纳|Ghana
GI|Gibraltar|直布罗陀|Gibraltar
GL|Greenland|格陵兰|Greenland
GM|Gambia|冈比亚|Gambia
GN|Guinea|几内亚|Guinea
GP|Guadeloupe|瓜德罗普|Guadeloupe
GQ|Equatorial Guinea|赤道几内亚|Guinea Khatulistiwa
GR|Greece|希腊|Greece
GS|South Georgia & South Sandwich Islands|南乔治亚和南桑威奇群岛|Kepulauan Georgia Selatan & Sandwich Selatan
GT|Guatemala|危地马拉|Guatemala
GU|Guam|关岛|Guam
GW|Guinea-Bissau|几内亚比绍|Guinea Bissau
GY|Guyana|圭亚那|Guyana
HK|Hong Kong SAR China|中国香港特别行政区|Hong Kong SAR China
HM|Heard & McDonald Islands|赫德岛和麦克唐纳群岛|Kepulauan Heard & McDonald
HN|Honduras|洪都拉斯|Honduras
HR|Croatia|克罗地亚|Croatia
HT|Haiti|海地|Haiti
HU|Hungary|匈牙利|Hungary
ID|Indonesia|印度尼西亚|Indonesia
IE|Ireland|爱尔兰|Ireland
IL|Israel|以色列|Israel
IM|Isle of Man|马恩岛|Isle of Man
IN|India|印度|India
IO|British Indian Ocean Territory|英属印度洋领地|Wilayah Lautan Hindi British
IQ|Iraq|伊拉克|Iraq
IR|Iran|伊朗|Iran
IS|Iceland|冰岛|Iceland
IT|Italy|意大利|Itali
JE|Jersey|泽西岛|Jersey
JM|Jamaica|牙买加|Jamaica
JO|Jordan|约旦|Jordan
JP|Japan|日本|Jepun
KE|Kenya|肯尼亚|Kenya
KG|Kyrgyzstan|吉尔吉斯斯坦|Kyrgyzstan
KH|Cambodia|柬埔寨|Kemboja
KI|Kiribati|基里巴斯|Kiribati
KM|Comoros|科摩罗|Comoros
KN|St. Kitts & Nevis|圣基茨和尼维斯|Saint Kitts dan Nevis
KP|North Korea|朝鲜|Korea Utara
KR|South Korea|韩国|Korea Selatan
KW|Kuwait|科威特|Kuwait
KY|Cayman Islands|开曼群岛|Kepulauan Cayman
KZ|Kazakhstan|哈萨克斯坦|Kazakhstan
LA|Laos|老挝|Laos
LB|Lebanon|黎巴嫩|Lubnan
LC|St. Lucia|圣卢西亚|Saint Lucia
LI|Liechtenstein|列支敦士登|Liechtenstein
LK|Sri Lanka|斯里兰卡|Sri Lanka
LR|Liberia|利比里亚|Liberia
LS|Lesotho|莱索托|Lesotho
LT|Lithuania|立陶宛|Lithuania
LU|Luxembourg|卢森堡|Luxembourg
LV|Latvia|拉脱维亚|Latvia
LY|Libya|利比亚|Libya
MA|Morocco|摩洛哥|Maghribi
MC|Monaco|摩纳哥|Monaco
MD|Moldova|摩尔多瓦|Moldova
ME|Montenegro|黑山|Montenegro
MF|St. Martin|法属圣马丁|Saint Martin
MG|Madagascar|马达加斯加|Madagaskar
MH|Marshall Islands|马绍尔群岛|Kepulauan Marshall
MK|North Macedonia|北马其顿|Macedonia Utara
ML|Mali|马里|Mali
MM|Myanmar (Burma)|缅甸|Myanmar (Burma)
MN|Mongolia|蒙古|Mongolia
MO|Macao SAR China|中国澳门特别行政区|Macau SAR China
MP|Northern Mariana Islands|北马里亚纳群岛|Kepulauan Mariana Utara
MQ|Martinique|马提尼克|Martinique
MR|Mauritania|毛里塔尼亚|Mauritania
MS|Montserrat|蒙特塞拉特|Montserrat
MT|Malta|马耳他|Malta
MU|Mauritius|毛里求斯|Mauritius
MV|Maldives|马尔代夫|Maldives
MW|Malawi|马拉维|Malawi
MX|Mexico|墨西哥|Mexico
MY|Malaysia|马来西亚|Malaysia
MZ|Mozambique|莫桑比克|Mozambique
NA|Namibia|纳米比亚|Namibia
NC|New Caledonia|新喀里多尼亚|New Caledonia
NE|Niger|尼日尔|Niger
NF|Norfolk Island|诺福克岛|Pulau Norfolk
NG|Nigeria|尼日利亚|Nigeria
NI|Nicaragua|尼加拉瓜|Nicaragua
NL|Netherlands|荷兰|Belanda
NO|Norway|挪威|Norway
NP|Nepal|尼泊尔|Nepal
NR|Nauru|瑙鲁|Nauru
NU|Niue|纽埃|Niue
NZ|New Zealand|新西兰|New Zealand
OM|Oman|阿曼|Oman
PA|Panama|巴拿马|Panama
PE|Peru|秘鲁|Peru
PF|French Polynesia|法属波利尼西亚|Polinesia Perancis
PG|Papua New Guinea|巴布亚新几内亚|Papua New Guinea
PH|Philippines|菲律宾|Filipina
PK|Pakistan|巴基斯坦|Pakistan
PL|Poland|波兰|Poland
PM|St. Pierre & Miquelon|圣皮埃尔和密克隆群岛|Saint Pierre dan Miquelon
PN|Pitcairn Islands|皮特凯恩群岛|Kepulauan Pitcairn
PR|Puerto Rico|波多黎各|Puerto Rico
PS|Palestinian Territories|巴勒斯坦领土|Wilayah Palestin
PT|Portugal|葡萄牙|Portugal
PW|Palau|帕劳|Palau
PY|Paraguay|巴拉圭|Paraguay
QA|Qatar|卡塔尔|Qatar
RE|Réunion|留尼汪|Reunion
RO|Romania|罗马尼亚|Romania
RS|Serbia|塞尔维亚|Serbia
RU|Russia|俄罗斯|Rusia
RW|Rwanda|卢旺达|Rwanda
SA|Saudi Arabia|沙特阿拉伯|Arab Saudi
SB|Solomon Islands|所罗门群岛|Kepulauan Solomon
SC|Seychelles|塞舌尔|Seychelles
SD|Sudan|苏丹|Sudan
SE|Sweden|瑞典|Sweden
SG|Singapore|新加坡|Singapura
SH|St. Helena|圣赫勒拿|Saint Helena
SI|Slovenia|斯洛文尼亚|Slovenia
SJ|Svalbard & Jan Mayen|斯瓦尔巴和扬马延|Svalbard dan Jan Mayen
SK|Slovakia|斯洛伐克|Slovakia
SL|Sierra Leone|塞拉利昂|Sierra Leone
SM|San Marino|圣马力诺|San Marino
SN|Senegal|塞内加尔|Senegal
SO|Somalia|索马里|Somalia
SR|Suriname|苏里南|Surinam
SS|South Sudan|南苏丹|Sudan Selatan
ST|São Tomé & Príncipe|圣多美和普林西比|Sao Tome dan Principe
SV|El Salvador|萨尔瓦多|El Salvador
SX|Sint Maarten|荷属圣马丁|Sint Maarten
SY|Syria|叙利亚|Syria
SZ|Eswatini|斯威士兰|Eswatini
TC|Turks & Caicos Islands|特克斯和凯科斯群岛|Kepulauan Turks dan Caicos
TD|Chad|乍得|Chad
TF|French Southern Territories|法属南部领地|Wilayah Selatan Perancis
TG|Togo|多哥|Togo
TH|Thailand|泰国|Thailand
TJ|Tajikistan|塔吉克斯坦|Tajikistan
TK|Tokelau|托克劳|Tokelau
TL|Timor-Leste|东帝汶|Timor-Leste
TM|Turkmenistan|土库曼斯坦|Turkmenistan
TN|Tunisia|突尼斯|Tunisia
TO|Tonga|汤加|Tonga
TR|Türkiye|土耳其|Turkiye
TT|Trinidad & Tobago|特立尼达和多巴哥|Trinidad dan Tobago
TV|Tuvalu|图瓦卢|Tuvalu
TW|Taiwan|台湾|Taiwan
TZ|Tanzania|坦桑尼亚|Tanzania
UA|Ukraine|乌克兰|Ukraine
UG|Uganda|乌干达|Uganda
UM|U.S. Outlying Islands|美国本土外小岛屿|Kepulauan Terpencil A.S.
US|United States|美国|Amerika Syarikat
UY|Uruguay|乌拉圭|Uruguay
UZ|Uzbekistan|乌兹别克斯坦|Uzbekistan
VA|Vatican City|梵蒂冈|Kota Vatican
VC|St. Vincent & Grenadines|圣文森特和格林纳丁斯|Saint Vincent dan Grenadines
VE|Venezuela|委内瑞拉|Venezuela
VG|British Virgin Islands|英属维尔京群岛|Kepulauan Virgin British
VI|U.S. Virgin Islands|美属维尔京群岛|Kepulauan Virgin A.S.
VN|Vietnam|越南|Vietnam
VU|Vanuatu|瓦努阿图|Vanuatu
WF|Wallis & Futuna|瓦利斯和富图纳|Wallis dan Futuna
WS|Samoa|萨摩亚|Samoa
YE|Yemen|也门|Yaman
YT|Mayotte|马约特|Mayotte
ZA|South Africa|南非|Afrika Selatan
ZM|Zambia|赞比亚|Zambia
ZW|Zimbabwe|津巴布韦|Zimbabwe
"""  # noqa: E501  a Chinese character counts for two columns
_NAMES: Final = [row.split("|") for row in _ROWS.split("\n") if row]

ENGLISH: Final[Mapping[str, str]] = {code: name for code, name, _, _ in _NAMES}
CHINESE: Final[Mapping[str, str]] = {code: name for code, _, name, _ in _NAMES}
MALAY: Final[Mapping[str, str]] = {code: name for code, _, _, name in _NAMES}
