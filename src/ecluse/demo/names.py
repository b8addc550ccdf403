# ruff: noqa: E501 -- in the tables a row is one line
"""Tables of common names, languages and places for the synthetic register: data, no drawing.

Every name is a common one; together with a drawn birth date and a drawn number they belong to nobody. Names stand in their original
script with the transliteration that a French office would type. A table reads ``script=latin, script=latin``; where the script is Latin
only the name stands, and its plain form is the name without accents. Shares are plausible, not statistics. An apostrophe is part of a name.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import msgspec


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """One name: as written at home, as a French office types it, and as a plain key board gives it (ASCII)."""

    script: str
    latin: str
    plain: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """One nationality of the register: its weight, why people came, what they speak and what they are called.

    ``family_women`` has the same length as ``family_men``. All shares lie in [0, 1]: ``january`` is the share of births entered as 1 January
    (None: the register's ordinary share), ``mononym`` that of people without a given name, ``double`` and ``second`` those of people with two
    family or given names, joined by ``joint``.
    """

    country: str
    weight: int
    languages: tuple[tuple[str, int], ...]
    reasons: tuple[tuple[str, int], ...]
    family_men: tuple[Name, ...]
    family_women: tuple[Name, ...]
    given_men: tuple[Name, ...]
    given_women: tuple[Name, ...]
    january: float | None = None
    mononym: float = 0.0
    double: float = 0.03
    joint: str = "-"
    second: float = 0.0

    @property
    def scripted(self) -> bool:
        """Tell whether the home script is another than Latin."""
        return self.family_men[0].script[0] > "\u024f"


def plain(text: str) -> str:
    """Strip accents and typographic apostrophes, as a French key board and a hurried hand do."""
    spelled = text.replace("’", "'").replace("ı", "i").replace("đ", "d").replace("Đ", "D").replace("ə", "e")
    return "".join(letter for letter in unicodedata.normalize("NFKD", spelled) if letter.isascii())


def names(table: str) -> tuple[Name, ...]:
    """Read a table of names, in its order: common ones first."""
    read = []
    for entry in table.split(","):
        script, _, latin = (part.strip() for part in entry.partition("="))
        spelled = unicodedata.normalize("NFC", latin or script)
        read.append(Name(script=unicodedata.normalize("NFC", script), latin=spelled, plain=plain(spelled)))
    return tuple(read)


def compose(stems: str, endings: str, *, before: bool = False) -> tuple[Name, ...]:
    """Join every stem with every ending (or put the endings ``before``): how many peoples really form family names."""
    pairs = [(stem, end) for end in names(endings) for stem in names(stems)]
    ordered = [(end, stem) if before else (stem, end) for stem, end in pairs]
    joint = " " if before else ""
    return tuple(
        Name(script=a.script + joint + b.script, latin=a.latin + joint + b.latin, plain=a.plain + joint + b.plain)
        for a, b in ordered
    )


def feminine(table: tuple[Name, ...], endings: tuple[tuple[str, str, str, str], ...]) -> tuple[Name, ...]:
    """Give each family name the form that women bear; ``endings``: (script, its feminine, latin, its feminine)."""
    return tuple(_feminine(name, endings) for name in table)


def _feminine(name: Name, endings: tuple[tuple[str, str, str, str], ...]) -> Name:
    for script, script_woman, latin, latin_woman in endings:
        if name.script.endswith(script) and name.latin.endswith(latin):
            woman = name.latin.removesuffix(latin) + latin_woman
            return Name(script=name.script.removesuffix(script) + script_woman, latin=woman, plain=plain(woman))
    return name


# --- given names shared by several countries ---------------------------------------------------------------------------------------------

ARAB_MEN: Final = """محمد=Mohamed, أحمد=Ahmed, يوسف=Youssef, علي=Ali, عمر=Omar, حمزة=Hamza, إبراهيم=Ibrahim, خالد=Khaled, حسن=Hassan, كريم=Karim,
سعيد=Saïd, رشيد=Rachid, مصطفى=Mustapha, عبد الله=Abdellah, بلال=Bilal, أمين=Amine, ياسين=Yassine, مهدي=Mehdi, نبيل=Nabil, سمير=Samir,
طارق=Tarek, هشام=Hicham, عبد الرحمن=Abderrahmane, زكرياء=Zakaria, أنس=Anas, جمال=Jamel, منير=Mounir, فؤاد=Fouad, رضا=Réda, إسماعيل=Ismaïl"""
ARAB_WOMEN: Final = """فاطمة=Fatima, خديجة=Khadija, مريم=Mariam, عائشة=Aïcha, سارة=Sara, نادية=Nadia, سميرة=Samira, أمينة=Amina, حنان=Hanane,
ليلى=Leïla, زينب=Zineb, هدى=Houda, إيمان=Imane, سلمى=Salma, نورة=Noura, ياسمين=Yasmine, رشيدة=Rachida, لطيفة=Latifa, وفاء=Wafa, سعاد=Souad,
مليكة=Malika, كريمة=Karima, أسماء=Asma, آمال=Amel, فتيحة=Fatiha, سناء=Sanaa, هاجر=Hajar, نجاة=Najat, رانية=Rania, صفاء=Safaa"""
SAHEL_MEN: Final = """Mamadou, Moussa, Ibrahima, Amadou, Ousmane, Abdoulaye, Boubacar, Souleymane, Modibo, Cheick, Alpha, Oumar, Seydou, Lassana,
Bakary, Adama, Issa, Drissa, Yaya, Thierno, Sékou, Fodé, Mory, Bréhima, Demba, Idrissa, Lamine, Aliou, Malick, Samba"""
SAHEL_WOMEN: Final = """Fatoumata, Aminata, Mariam, Aïssatou, Kadiatou, Awa, Oumou, Hawa, Djeneba, Ramatoulaye, Maïmouna, Bintou, Assétou, Rokia,
Nana, Salimata, Fanta, Adja, Coumba, Khady, Ndèye, Mame, Sira, Niakalé, Tènin, Hadja, Mariame, Nafissatou, Safiatou, Binta"""
CHRISTIAN_MEN: Final = """Jean, Emmanuel, Patrick, Christian, Serge, Joseph, Pierre, Hervé, Alain, Didier, Yannick, Franck, Jean-Claude, Guy, Éric,
Landry, Achille, Boris, Cédric, Rodrigue, Parfait, Dieudonné, Jean-Pierre, Blaise, Thierry, Armand, Gaël, Prosper, Désiré, Arsène"""
CHRISTIAN_WOMEN: Final = """Marie, Carine, Chantal, Solange, Sandrine, Béatrice, Clarisse, Nadège, Pélagie, Thérèse, Estelle, Grâce, Merveille,
Rosine, Sylvie, Mireille, Flore, Marie-Claire, Brigitte, Hortense, Joséphine, Élodie, Prisca, Yvette, Blandine, Laure, Marie-Louise, Reine,
Angèle, Bénédicte"""
ENGLISH_MEN: Final = "Brian, Collins, Divine, Elvis, Fru, Godlove, Kelvin, Nelson, Peter, Terence, Valentine, Walters"
ENGLISH_WOMEN: Final = (
    "Blessing, Claudette, Delphine, Faith, Glory, Immaculate, Loveline, Mercy, Patience, Precious, Vivian, Yvonne"
)

# --- countries ---------------------------------------------------------------------------------------------------------------------------

ASYLUM: Final = (("asylum", 70), ("family", 22), ("study", 4), ("humanitarian", 4))
FAMILY: Final = (("family", 72), ("work", 16), ("study", 8), ("humanitarian", 2), ("visitor", 2))
MIXED: Final = (("family", 55), ("asylum", 22), ("work", 12), ("study", 8), ("humanitarian", 3))
STUDY: Final = (("family", 45), ("study", 32), ("work", 20), ("visitor", 3))
WORK: Final = (("family", 48), ("work", 38), ("study", 10), ("visitor", 4))
SHELTER: Final = (("temporary-protection", 78), ("family", 14), ("work", 5), ("study", 3))

SLAVIC: Final = (
    ("ський", "ська", "skyi", "ska"), ("цький", "цька", "tskyi", "tska"), ("ов", "ова", "ov", "ova"), ("ев", "ева", "ev", "eva"),
    ("ёв", "ёва", "ev", "eva"), ("ин", "ина", "in", "ina"), ("ский", "ская", "skii", "skaia"),
)  # fmt: skip

UA_FAMILY: Final = """Мельник=Melnyk, Шевченко=Shevchenko, Коваленко=Kovalenko, Бондаренко=Bondarenko, Бойко=Boiko, Ткаченко=Tkachenko,
Кравченко=Kravchenko, Ковальчук=Kovalchuk, Коваль=Koval, Олійник=Oliinyk, Шевчук=Shevchuk, Поліщук=Polishchuk, Лисенко=Lysenko,
Марченко=Marchenko, Руденко=Rudenko, Савченко=Savchenko, Мороз=Moroz, Кравчук=Kravchuk, Клименко=Klymenko, Гончаренко=Honcharenko,
Левицький=Levytskyi, Павловський=Pavlovskyi, Сидоренко=Sydorenko, Вишневський=Vyshnevskyi, Гаврилюк=Havryliuk, Мазур=Mazur, Хоменко=Khomenko,
Дем'яненко=Dem'ianenko, Лук'яненко=Luk'ianenko, Заболотний=Zabolotnyi"""
UA_STEMS: Final = "Петр=Petr, Іван=Ivan, Степан=Stepan, Роман=Roman, Захар=Zakhar, Тимош=Tymosh, Панас=Panas, Данил=Danyl, Гнат=Hnat, Макар=Makar"
UA_MEN: Final = """Олександр=Oleksandr, Андрій=Andrii, Сергій=Serhii, Дмитро=Dmytro, Володимир=Volodymyr, Іван=Ivan, Микола=Mykola, Юрій=Yurii,
Максим=Maksym, Артем=Artem, Богдан=Bohdan, Тарас=Taras, Віталій=Vitalii, Євген=Yevhen, Олег=Oleh, Ігор=Ihor, Роман=Roman, В'ячеслав=Viacheslav"""
UA_WOMEN: Final = """Олена=Olena, Наталія=Nataliia, Ірина=Iryna, Тетяна=Tetiana, Оксана=Oksana, Світлана=Svitlana, Юлія=Yuliia, Катерина=Kateryna,
Ганна=Hanna, Марія=Mariia, Людмила=Liudmyla, Вікторія=Viktoriia, Надія=Nadiia, Галина=Halyna, Анастасія=Anastasiia, Дарина=Daryna, Яна=Yana,
Любов=Liubov, Валентина=Valentyna"""

RU_FAMILY: Final = """Иванов=Ivanov, Смирнов=Smirnov, Кузнецов=Kuznetsov, Попов=Popov, Васильев=Vasilev, Петров=Petrov, Соколов=Sokolov,
Михайлов=Mikhailov, Новиков=Novikov, Фёдоров=Fedorov, Морозов=Morozov, Волков=Volkov, Алексеев=Alekseev, Лебедев=Lebedev, Семёнов=Semenov,
Егоров=Egorov, Павлов=Pavlov, Козлов=Kozlov, Степанов=Stepanov, Николаев=Nikolaev, Орлов=Orlov, Андреев=Andreev, Макаров=Makarov, Никитин=Nikitin,
Захаров=Zakharov, Магомедов=Magomedov, Ахмадов=Akhmadov, Дудаев=Dudaev, Исмаилов=Ismailov, Хасанов=Khasanov, Сайдулаев=Saidulaev, Цой=Tsoi"""
RU_MEN: Final = """Александр=Aleksandr, Сергей=Sergei, Дмитрий=Dmitrii, Андрей=Andrei, Алексей=Aleksei, Максим=Maksim, Иван=Ivan, Михаил=Mikhail,
Николай=Nikolai, Павел=Pavel, Ислам=Islam, Рамзан=Ramzan, Магомед=Magomed, Адам=Adam, Тимур=Timur, Артур=Artur"""
RU_WOMEN: Final = """Елена=Elena, Ольга=Olga, Наталья=Natalia, Анна=Anna, Татьяна=Tatiana, Мария=Maria, Ирина=Irina, Светлана=Svetlana,
Екатерина=Ekaterina, Анастасия=Anastasia, Дарья=Daria, Ксения=Ksenia, Заира=Zaira, Хеда=Kheda, Мадина=Madina, Амина=Amina, Марха=Markha"""

CM_FAMILY: Final = """Ngo, Mbarga, Fotso, Kamga, Nguemo, Tchoumi, Essomba, Atangana, Owona, Mballa, Nkoulou, Ondoua, Abega, Djomo, Kenfack,
Tagne, Nana, Talla, Fokou, Simo, Wandji, Ngono, Eyenga, Manga, Biyong, N'Djock, Ewane, Etoundi, Tchakounté, Moukoko, Ndongo, Nkeng, Tabi, Fon,
Ngwa, Akum, Che, Ndifor, Fonkam, Achu, Bello, Hamadou, Aboubakar, Oumarou"""
CI_FAMILY: Final = """Kouassi, Koné, Kouamé, Ouattara, Yao, Traoré, Koffi, Coulibaly, N'Guessan, Konan, Diomandé, Bamba, Touré, Kouadio, Konaté,
Dosso, Gnagne, Aké, Gbané, Zadi, Brou, Assi, N'Dri, Kacou, Tanoh, Soro, Silué, Fofana, Cissé, Doumbia, Gnahoré, Séri, Ehouman, Yapi"""
SN_FAMILY: Final = """Ndiaye, Diop, Fall, Faye, Sow, Diouf, Ba, Gueye, Sarr, Cissé, Sy, Mbaye, Seck, Thiam, Diallo, Kane, Sène, Niang, Diagne,
Camara, N'Diaye, M'Bodj, Touré, Wade, Ndoye, Sané, Badji, Mané, Sagna, Diatta, Gomis, Mendy, Lô, Samb, Dièye, Tall"""
ML_FAMILY: Final = """Traoré, Diarra, Coulibaly, Keïta, Koné, Diallo, Touré, Sidibé, Konaté, Doumbia, Sissoko, Camara, Dembélé, Sangaré, Maïga,
Diakité, Cissé, Kanté, Bagayoko, Fofana, Niakaté, Sacko, Tounkara, Samaké, Haïdara, Soumaré, Dicko, Guindo, Togo, Magassa, Dramé, Wagué"""
GN_FAMILY: Final = """Diallo, Bah, Barry, Camara, Sow, Condé, Keïta, Sylla, Bangoura, Touré, Baldé, Soumah, Traoré, Kourouma, Cissé, Kaba, Doumbouya,
Fofana, Conté, Magassouba, Béavogui, Loua, Guilavogui, Onivogui, Koïvogui, Haba, Kanté, Sano, Bérété, Dioubaté, Kouyaté, Sacko"""
CD_FAMILY: Final = """Ilunga, Kabongo, Mukendi, Tshibangu, Kasongo, Mbuyi, Ngoy, Mutombo, Kalala, Mwamba, Lukaku, Nsimba, Nzuzi, Mbemba, Makiese,
Lutumba, Matondo, Nlandu, Kiala, Mavungu, Kabeya, Kalonji, Ngalula, Tshilombo, Bolamba, Mobali, Bofenda, Ekofo, Lokwa, Ntumba, Musau, Banza,
Byamungu, Mugisho, Cirhuza, Bahati, Kambale, Paluku, M'Bayo"""

AF_FAMILY: Final = """احمدی=Ahmadi, محمدی=Mohammadi, حسینی=Hosseini, رحیمی=Rahimi, کریمی=Karimi, نوری=Noori, علی‌زی=Alizai, ستانکزی=Stanikzai,
احمدزی=Ahmadzai, یوسفزی=Yousafzai, صافی=Safi, شینواری=Shinwari, وردک=Wardak, نورزی=Noorzai, اچکزی=Achakzai, رضایی=Rezaie, حیدری=Haidari,
اکبری=Akbari, جعفری=Jafari, صدیقی=Sediqi, حکیمی=Hakimi, امیری=Amiri, قادری=Qaderi, عزیزی=Azizi, همدرد=Hamdard, میاخیل=Miakhel, زدران=Zadran,
خروتی=Kharoti, ساپی=Sapi, مومند=Momand, هوتک=Hotak, سادات=Sadat, یعقوبی=Yaqubi, شریفی=Sharifi, نظری=Nazari"""
AF_MEN: Final = """محمد=Mohammad, احمد=Ahmad, عبدالله=Abdullah, نجیب‌الله=Najibullah, حمیدالله=Hamidullah, رحمت‌الله=Rahmatullah,
شفیق‌الله=Shafiqullah, عصمت‌الله=Esmatullah, نورآغا=Noor Agha, گل‌محمد=Gul Mohammad, فرید=Farid, جاوید=Jawid, رضا=Reza, علی=Ali, حسین=Hussain,
خان=Khan, زلمی=Zalmai, وحید=Wahid, میرویس=Mirwais, اسدالله=Asadullah, ذبیح‌الله=Zabihullah, امان‌الله=Amanullah"""
AF_WOMEN: Final = """فاطمه=Fatema, زهرا=Zahra, مریم=Maryam, نسرین=Nasrin, شکریه=Shukria, فریبا=Fariba, پروین=Parwin, لیلا=Laila, زرغونه=Zarghuna,
گل‌مکی=Gulmakai, ملالی=Malalai, صدیقه=Sediqa, حلیمه=Halima, نرگس=Narges, راضیه=Razia, معصومه=Masuma, شیما=Shima, پلوشه=Palwasha, سپوژمی=Spozhmai"""
IR_FAMILY: Final = """محمدی=Mohammadi, حسینی=Hosseini, احمدی=Ahmadi, کریمی=Karimi, رضایی=Rezaei, موسوی=Mousavi, جعفری=Jafari, هاشمی=Hashemi,
صادقی=Sadeghi, مرادی=Moradi, رحیمی=Rahimi, قاسمی=Ghasemi, ابراهیمی=Ebrahimi, اکبری=Akbari, حیدری=Heidari, کاظمی=Kazemi, باقری=Bagheri,
نوروزی=Norouzi, شریفی=Sharifi, زارعی=Zarei, یزدانی=Yazdani, تهرانی=Tehrani, شیرازی=Shirazi, اصفهانی=Esfahani, فرهادی=Farhadi, بهرامی=Bahrami,
رستمی=Rostami, نظری=Nazari, سلطانی=Soltani, امینی=Amini"""
IR_MEN: Final = """علی=Ali, محمد=Mohammad, رضا=Reza, حسین=Hossein, امیر=Amir, مهدی=Mehdi, بهزاد=Behzad, آرش=Arash, کاوه=Kaveh, سعید=Saeed,
فرهاد=Farhad, بابک=Babak, نیما=Nima, شهرام=Shahram, پویا=Pouya"""
IR_WOMEN: Final = """زهرا=Zahra, مریم=Maryam, فاطمه=Fatemeh, نیلوفر=Niloufar, شیرین=Shirin, پریسا=Parisa, لیلا=Leila, مهسا=Mahsa, ناهید=Nahid,
سارا=Sara, الهام=Elham, آزاده=Azadeh, نگار=Negar, سمیرا=Samira, ژاله=Jaleh"""

CN_FAMILY: Final = """王=Wang, 李=Li, 张=Zhang, 刘=Liu, 陈=Chen, 杨=Yang, 黄=Huang, 赵=Zhao, 吴=Wu, 周=Zhou, 徐=Xu, 孙=Sun, 马=Ma, 朱=Zhu, 胡=Hu, 林=Lin,
郭=Guo, 何=He, 高=Gao, 罗=Luo, 郑=Zheng, 梁=Liang, 谢=Xie, 宋=Song, 唐=Tang, 许=Xu, 邓=Deng, 冯=Feng, 潘=Pan, 欧阳=Ouyang, 鄂=E, 区=Ou"""
CN_MEN: Final = """伟=Wei, 强=Qiang, 磊=Lei, 军=Jun, 勇=Yong, 杰=Jie, 建国=Jianguo, 志强=Zhiqiang, 建华=Jianhua, 海涛=Haitao, 俊杰=Junjie, 浩=Hao,
明=Ming, 国强=Guoqiang, 小龙=Xiaolong, 文博=Wenbo, 宇航=Yuhang"""
CN_WOMEN: Final = """芳=Fang, 娜=Na, 敏=Min, 静=Jing, 丽=Li, 秀英=Xiuying, 艳=Yan, 桂英=Guiying, 晓燕=Xiaoyan, 海燕=Haiyan, 雪梅=Xuemei, 欣怡=Xinyi,
婷婷=Tingting, 春梅=Chunmei, 红=Hong, 玉兰=Yulan, 丹=Dan"""

IL_FAMILY: Final = """כהן=Cohen, לוי=Levy, מזרחי=Mizrahi, פרץ=Peretz, ביטון=Biton, דהן=Dahan, אברהם=Avraham, פרידמן=Friedman, מלכה=Malka,
אזולאי=Azoulay, כץ=Katz, יוסף=Yosef, עמר=Amar, אוחיון=Ohayon, חדד=Hadad, גבאי=Gabay, בן דוד=Ben David, אדרי=Edri, טל=Tal, קליין=Klein, חן=Hen,
שפירא=Shapira, חזן=Hazan, משה=Moshe, אשכנזי=Ashkenazi, אוחנה=Ohana, סגל=Segal, גולן=Golan, רוזנברג=Rosenberg, ברק=Barak"""
IL_MEN: Final = """דוד=David, משה=Moshe, יוסף=Yosef, אבי=Avi, יעקב=Yaakov, דניאל=Daniel, איתן=Eitan, עומר=Omer, נועם=Noam, גיא=Guy, רון=Ron,
אורי=Uri, שמעון=Shimon, אלון=Alon, יונתן=Yonatan"""
IL_WOMEN: Final = """נועה=Noa, תמר=Tamar, שירה=Shira, מיכל=Michal, רחל=Rachel, שרה=Sarah, אסתר=Esther, יעל=Yael, מאיה=Maya, אביגיל=Avigail,
רונית=Ronit, ענת=Anat, ליאור=Lior, דנה=Dana, הדס=Hadas"""

MA_FAMILY: Final = """العلوي=El Alaoui, بناني=Bennani, الإدريسي=El Idrissi, العمراني=El Amrani, التازي=Tazi, الفاسي=El Fassi, برادة=Berrada, أوبلال=Oublal,
الشرقاوي=Cherkaoui, الحسني=El Hassani, بوزيد=Bouzid, أيت علي=Aït Ali, أيت لحسن=Aït Lahcen, أمزيان=Amziane, المرابط=El Mrabet, الخطابي=El Khattabi,
بوعزة=Bouazza, زروال=Zeroual, السباعي=Sbaï, المنصوري=El Mansouri, الغازي=El Ghazi, حجي=Hajji, الزهراوي=Zahraoui, بنجلون=Benjelloun, لحلو=Lahlou,
الكتاني=Kettani, أوحساين=Ouhssaine, بركات=Barakat, الوزاني=Ouazzani, الرامي=Errami, السالمي=Salmi, المسعودي=El Messaoudi"""
DZ_FAMILY: Final = """بن عيسى=Benaïssa, بوزيدي=Bouzidi, سعيدي=Saïdi, بلقاسم=Belkacem, حمداني=Hamdani, مزياني=Meziani, براهيمي=Brahimi, بوعلام=Boualem,
زروقي=Zerrouki, شريف=Cherif, منصوري=Mansouri, قاسي=Kaci, أوعلي=Ouali, حداد=Haddad, بن يحيى=Benyahia, بلعيد=Belaïd, عمراني=Amrani, بوشامة=Bouchama,
تواتي=Touati, لعربي=Larbi, مسعودي=Messaoudi, بن عمر=Benamar, رحماني=Rahmani, خليفي=Khelifi, آيت أحمد=Aït Ahmed, بلحاج=Belhadj, دراجي=Derradji,
غربي=Gharbi, معمري=Mammeri, يحياوي=Yahiaoui, بودياف=Boudiaf, صالحي=Salhi"""
TN_FAMILY: Final = """الطرابلسي=Trabelsi, بن علي=Ben Ali, الهمامي=Hammami, الجلاصي=Jlassi, الغربي=Gharbi, بن صالح=Ben Salah, العياري=Ayari, الدريدي=Dridi,
المناعي=Mannai, الشابي=Chebbi, بن عمر=Ben Amor, الزواري=Zouari, الماجري=Mejri, الجبالي=Jebali, القاسمي=Guesmi, الوسلاتي=Oueslati, السعيدي=Saïdi,
بوعزيزي=Bouazizi, الرياحي=Riahi, الفرجاني=Ferjani, البجاوي=Bejaoui, المرزوقي=Marzouki, العبيدي=Abidi, الحداد=Haddad, النفزي=Nefzi, الورغي=Ouerghi,
بن حمودة=Ben Hamouda, الخميري=Khemiri, السالمي=Selmi, المطيري=Mtiri"""
MAGHREB_STEMS: Final = """أحمد=Ahmed, عمر=Omar, صالح=Salah, يوسف=Youssef, إبراهيم=Brahim, منصور=Mansour, سليمان=Slimane, عبد الله=Abdallah, موسى=Moussa,
حسين=Hassine, ناصر=Nasser, سالم=Salem, خليفة=Khelifa, رمضان=Romdhane, مبارك=Mbarek, الطيب=Taïeb, التومي=Toumi, مسعود=Messaoud, عاشور=Achour,
رابح=Rabah, فرحات=Ferhat, شعبان=Chaabane"""
SY_FAMILY: Final = """الأحمد=Al Ahmad, المحمد=Al Mohammad, الحسن=Al Hassan, الخطيب=Al Khatib, حداد=Haddad, العلي=Al Ali, إبراهيم=Ibrahim, خليل=Khalil,
الحسين=Al Hussein, شيخو=Sheikho, درويش=Darwish, الشامي=Al Shami, الحموي=Al Hamwi, الحلبي=Al Halabi, قاسم=Kassem, سليمان=Suleiman, نجار=Najjar,
عثمان=Othman, صباغ=Sabbagh, عيسى=Issa, منصور=Mansour, الجاسم=Al Jasem, العبد الله=Al Abdullah, حمود=Hammoud, رمضان=Ramadan, بكر=Bakr, قباني=Qabbani,
الزعبي=Al Zoubi, المصري=Al Masri, كنعان=Kanaan, الرفاعي=Al Rifai, عثمانو=Osmano"""
SD_FAMILY: Final = """آدم=Adam, إبراهيم=Ibrahim, عبد الكريم=Abdelkarim, إسحاق=Ishag, هارون=Haroun, أبكر=Abakar, موسى=Moussa, عثمان=Osman, يعقوب=Yagoub,
عبد الله=Abdallah, حامد=Hamid, بشير=Bashir, خميس=Khamis, صالح=Salih, الطيب=El Tayeb, عيسى=Issa, يحيى=Yahya, جمعة=Juma, إدريس=Idris, حسب الله=Hasaballah,
النور=El Nour, بابكر=Babiker, سليمان=Suliman, عبد الرحمن=Abdelrahman, أرباب=Arbab, دود=Doud, عمر=Omer, مختار=Mukhtar"""
KM_FAMILY: Final = """Saïd, Mohamed, Ahamada, Abdou, Ali, Soilihi, Mmadi, Youssouf, Ibrahim, Houmadi, Combo, Attoumani, Madi, Bacar, Hassani, M'Changama,
M'Saïdié, Mdahoma, Boina, Djoumoi, Mbae, Mlamali, Abdallah, Assoumani, Daoud, Issouf, Toihir, Moindjié, M'Ze, Hamada, Maoulida, Nassur"""
KM_MEN: Final = (
    "Saïd, Ali, Mohamed, Ibrahim, Abdou, Youssouf, Nadjim, Kamal, Fahad, Anli, Mmadi, Soilihi, Faouzi, Hamidou, Nourdine"
)
KM_WOMEN: Final = (
    "Fatima, Zalhata, Moina, Echati, Roukia, Amina, Nadjati, Faïza, Sitti, Zaïnaba, Hadidja, Chamsia, Rahma, Mariama, Toiyifa"
)

ER_FAMILY: Final = """ተስፋይ=Tesfay, ገብረመድህን=Gebremedhin, ኃይለ=Haile, ሃብተ=Habte, ክፍለ=Kifle, በርሀ=Berhe, መሓሪ=Mehari, ገብረ=Gebre, ተክለ=Tekle, ወልዱ=Weldu,
ኣስመሮም=Asmerom, ገብረእግዚኣብሔር=Gebreigziabher, ሃይለሚካኤል=Hailemichael, ዮሃንስ=Yohannes, ኣብርሃም=Abraham, ሰሎሞን=Solomon, ጸጋይ=Tsegay, ገብረስላሴ=Gebreslasie,
ወልደ=Welde, ዑቕባይ=Ukbay, መለስ=Meles, ስዩም=Siyum, ፍስሃ=Fisseha, ኣርኣያ=Araya, ሓጎስ=Hagos, ደስታ=Desta, ኪዳነ=Kidane, ዘርአይ=Zeray"""
ER_MEN: Final = """ዮናስ=Yonas, ሳምኤል=Samuel, ተስፋይ=Tesfay, ዳዊት=Dawit, ሮቤል=Robel, ፊልሞን=Filmon, ኣማኑኤል=Amanuel, ሄኖክ=Henok, ሚካኤል=Mikael, ሃብቶም=Habtom,
በረኸት=Bereket, ክብሮም=Kibrom, ናትናኤል=Natnael, ኤርምያስ=Ermias, ሰመረ=Semere"""
ER_WOMEN: Final = """ሰላም=Selam, ራሄል=Rahel, ሄለን=Helen, ለተብርሃን=Letebrhan, ሳባ=Saba, ፍረወይኒ=Freweyni, ሚሪያም=Miriam, ትርሓስ=Tirhas, ኣስቴር=Aster, ሩታ=Ruta, ብርክቲ=Birkti,
ማርታ=Marta, ሊያ=Lia, ዮርዳኖስ=Yordanos, ኣበባ=Abeba"""
ET_FAMILY: Final = """በቀለ=Bekele, ታደሰ=Tadesse, ከበደ=Kebede, አበበ=Abebe, ግርማ=Girma, ወርቁ=Worku, ተስፋዬ=Tesfaye, አለሙ=Alemu, መኮንን=Mekonnen, ደሳለኝ=Desalegn, ኃይሉ=Hailu,
አሰፋ=Assefa, ለማ=Lemma, በላይ=Belay, ገብሬ=Gebre, ዘውዴ=Zewde, ሽፈራው=Shiferaw, ንጉሴ=Nigussie, ተፈራ=Tefera, ደምሴ=Demissie, ጌታቸው=Getachew, አየለ=Ayele, ሙሉጌታ=Mulugeta,
ካሳ=Kassa, መንግስቱ=Mengistu, ፈይሳ=Feyisa, ቶላ=Tola, ዋቅጅራ=Wakjira"""
ET_MEN: Final = """አበበ=Abebe, ዳንኤል=Daniel, ሰለሞን=Solomon, ብሩክ=Biruk, ቴዎድሮስ=Tewodros, ዮሐንስ=Yohannes, ሙሉጌታ=Mulugeta, ጌታሁን=Getahun, ኤልያስ=Elias, አሸናፊ=Ashenafi, መሐመድ=Mohammed,
ታምራት=Tamrat, ፍቃዱ=Fikadu, ሀብታሙ=Habtamu"""
ET_WOMEN: Final = """ትዕግስት=Tigist, አልማዝ=Almaz, ሂሩት=Hirut, መሠረት=Meseret, ሰብለ=Seble, እመቤት=Emebet, ቤተልሔም=Bethlehem, ሳራ=Sara, ሕይወት=Hiwot, ፀሐይ=Tsehay, ዘነበች=Zenebech,
ማህሌት=Mahlet, አስቴር=Aster, ገነት=Genet"""

LK_FAMILY: Final = """க=K, ச=S, த=T, ம=M, சிவகுமார்=Sivakumar, கந்தசாமி=Kandasamy, செல்வராசா=Selvarasa, நடராஜா=Nadarajah, கணேசன்=Ganeshan, தர்மலிங்கம்=Tharmalingam,
சுப்பிரமணியம்=Subramaniam, இராசரத்தினம்=Rasaratnam, பாலசுந்தரம்=Balasundaram, மகேந்திரன்=Mahendran, யோகராசா=Yogarasa, விக்னேஸ்வரன்=Vigneswaran, கிருஷ்ணபிள்ளை=Krishnapillai,
பொன்னம்பலம்=Ponnambalam, சண்முகநாதன்=Shanmuganathan, தம்பிப்பிள்ளை=Thambipillai, அருளானந்தம்=Arulanantham, இராமலிங்கம்=Ramalingam, குணரத்தினம்=Gunaratnam, நாகலிங்கம்=Nagalingam,
பரமேஸ்வரன்=Parameswaran, செல்லத்துரை=Sellathurai, வேலாயுதம்=Velayutham, தங்கராசா=Thangarasa, சின்னத்தம்பி=Sinnathamby, ஜெயக்குமார்=Jeyakumar"""
LK_MEN: Final = """குமார்=Kumar, சுரேஷ்=Suresh, ரமேஷ்=Ramesh, சிவா=Siva, பிரதீபன்=Pratheepan, நிமலன்=Nimalan, கஜன்=Kajan, தினேஷ்=Thinesh, மயூரன்=Mayuran, ஜெகன்=Jegan, செந்தூரன்=Senthuran,
விஜயன்=Vijayan, அகிலன்=Akilan, ராஜன்=Rajan"""
LK_WOMEN: Final = """பிரியா=Priya, லக்ஷ்மி=Lakshmi, கமலா=Kamala, சுகந்தி=Suganthi, தர்ஷினி=Tharshini, நிரோஜா=Niroja, வசந்தி=Vasanthi, மாலதி=Malathi, கவிதா=Kavitha, யாழினி=Yalini,
ராணி=Rani, ஜெயந்தி=Jeyanthi, சுபாசினி=Subashini, தாரணி=Tharani"""
BD_FAMILY: Final = """ইসলাম=Islam, হোসেন=Hossain, রহমান=Rahman, আহমেদ=Ahmed, খান=Khan, আক্তার=Akter, বেগম=Begum, চৌধুরী=Chowdhury, মিয়া=Miah, উদ্দিন=Uddin, আলম=Alam,
হক=Haque, সরকার=Sarkar, শেখ=Sheikh, খাতুন=Khatun, আলী=Ali, কবির=Kabir, মণ্ডল=Mondal, তালুকদার=Talukder, ভূঁইয়া=Bhuiyan, মোল্লা=Molla, দাস=Das, বড়ুয়া=Barua, হাওলাদার=Howlader,
সিকদার=Sikder, মজুমদার=Majumder, পাটোয়ারী=Patwary, প্রধান=Prodhan"""
BD_MEN: Final = """মোহাম্মদ=Mohammed, আব্দুল=Abdul, রফিকুল=Rafiqul, কামাল=Kamal, জাহাঙ্গীর=Jahangir, সাইফুল=Saiful, আনোয়ার=Anwar, নুরুল=Nurul, শহিদুল=Shahidul, মিজানুর=Mizanur,
ফারুক=Faruk, রুবেল=Rubel, সোহেল=Sohel, তানভীর=Tanvir"""
BD_WOMEN: Final = """ফাতেমা=Fatema, নাসরিন=Nasrin, শারমিন=Sharmin, রোকেয়া=Rokeya, সালমা=Salma, তাসলিমা=Taslima, রহিমা=Rahima, সুমাইয়া=Sumaiya, নাজমা=Nazma, শিরিন=Shirin,
জান্নাত=Jannat, মরিয়ম=Moriom, পারভীন=Parvin, রুমা=Ruma"""
IN_FAMILY: Final = """सिंह=Singh, ਸਿੰਘ=Singh, ਕੌਰ=Kaur, कुमार=Kumar, शर्मा=Sharma, पटेल=Patel, गुप्ता=Gupta, वर्मा=Verma, मिश्रा=Mishra, यादव=Yadav, जोशी=Joshi, मेहता=Mehta, ਗਿੱਲ=Gill,
ਸੰਧੂ=Sandhu, ਧਾਲੀਵਾਲ=Dhaliwal, ਸਿੱਧੂ=Sidhu, ਬਰਾੜ=Brar, अग्रवाल=Agarwal, चौहान=Chauhan, ठाकुर=Thakur, देसाई=Desai, शाह=Shah, त्रिवेदी=Trivedi, पाण्डेय=Pandey, राणा=Rana, कपूर=Kapoor,
मल्होत्रा=Malhotra, ਮਾਨ=Mann, नायर=Nair, राव=Rao"""
IN_MEN: Final = """ਗੁਰਪ੍ਰੀਤ=Gurpreet, ਹਰਜੀਤ=Harjit, राजेश=Rajesh, संजय=Sanjay, अमित=Amit, विजय=Vijay, ਮਨਪ੍ਰੀਤ=Manpreet, सुनील=Sunil, ਬਲਵਿੰਦਰ=Balwinder, राहुल=Rahul, अनिल=Anil, ਸੁਖਵਿੰਦਰ=Sukhwinder,
दीपक=Deepak, अर्जुन=Arjun"""
IN_WOMEN: Final = """ਸਿਮਰਨ=Simran, ਹਰਪ੍ਰੀਤ=Harpreet, सुनीता=Sunita, अनीता=Anita, पूजा=Pooja, नेहा=Neha, ਜਸਪ੍ਰੀਤ=Jaspreet, कविता=Kavita, प्रिया=Priya, ਰਾਜਵਿੰਦਰ=Rajwinder, मीना=Meena, अंजलि=Anjali, रेखा=Rekha,
ਕੁਲਵਿੰਦਰ=Kulwinder"""

BR_FAMILY: Final = """da Silva, dos Santos, Oliveira, Souza, Rodrigues, Ferreira, Alves, Pereira, Lima, Gomes, Costa, Ribeiro, Martins, Carvalho,
de Almeida, Lopes, Soares, Fernandes, Vieira, Barbosa, Rocha, Dias, Nascimento, Andrade, Moreira, Nunes, Marques, Machado, Freitas, Conceição,
d'Ávila, Araújo, Magalhães, Guimarães"""
BR_MEN: Final = "João, José, Antônio, Carlos, Paulo, Pedro, Lucas, Luiz, Marcos, Gabriel, Rafael, Daniel, Bruno, Thiago, Rodrigo, Anderson, Wellington"
BR_WOMEN: Final = "Maria, Ana, Francisca, Juliana, Adriana, Fernanda, Patrícia, Aline, Camila, Letícia, Bruna, Luciana, Vanessa, Débora, Simone, Conceição"
GE_FAMILY: Final = """ბერიძე=Beridze, კაპანაძე=Kapanadze, გელაშვილი=Gelashvili, მაისურაძე=Maisuradze, გიორგაძე=Giorgadze, ლომიძე=Lomidze, წიკლაური=Tsiklauri,
ხუციშვილი=Khutsishvili, კვარაცხელია=Kvaratskhelia, ნოზაძე=Nozadze, შენგელია=Shengelia, მამულაშვილი=Mamulashvili, ჯაფარიძე=Japaridze, ქავთარაძე=Kavtaradze,
აბაშიძე=Abashidze, დოლიძე=Dolidze, ბოლქვაძე=Bolkvadze, ჩხეიძე=Chkheidze, თოდუა=Todua, ხარაიშვილი=Kharaishvili, მელაძე=Meladze, ონიანი=Oniani, ფხაკაძე=Pkhakadze,
გოგოლაძე=Gogoladze, სულაბერიძე=Sulaberidze, ჭანტურია=Chanturia, ლაბაძე=Labadze, ტაბატაძე=Tabatadze"""
GE_MEN: Final = """გიორგი=Giorgi, დავით=Davit, ლევან=Levan, ზურაბ=Zurab, ირაკლი=Irakli, ნიკა=Nika, ლუკა=Luka, თორნიკე=Tornike, გოჩა=Gocha, მამუკა=Mamuka, ვახტანგ=Vakhtang, ბექა=Beka,
თემურ=Temur, შოთა=Shota"""
GE_WOMEN: Final = """ნინო=Nino, მარიამ=Mariam, თამარ=Tamar, ანა=Ana, ეკა=Eka, ნათია=Natia, ქეთევან=Ketevan, მაია=Maia, ლელა=Lela, ნანა=Nana, ხათუნა=Khatuna, თეა=Tea, სოფიო=Sopio,
ლია=Lia"""
AM_STEMS: Final = """Հարություն=Harutyun, Սարգս=Sargs, Հովհաննիս=Hovhannis, Գրիգոր=Grigor, Խաչատր=Khachatr, Պետրոս=Petros, Հակոբ=Hakob, Կարապետ=Karapet, Վարդան=Vardan,
Մկրտչ=Mkrtch, Ստեփան=Stepan, Մարտիրոս=Martiros, Ղազար=Ghazar, Աբրահամ=Abraham, Գասպար=Gaspar, Մանուկ=Manuk, Պողոս=Poghos, Սիմոն=Simon, Ավետիս=Avetis, Մինաս=Minas,
Դանիել=Daniel, Ալեքսան=Aleksan, Դավթ=Davt, Բաղդասար=Baghdasar, Եղիազար=Yeghiazar, Թորոս=Toros, Զաքար=Zakar, Նազար=Nazar"""
AM_MEN: Final = """Արմեն=Armen, Հայկ=Hayk, Տիգրան=Tigran, Գագիկ=Gagik, Կարեն=Karen, Արթուր=Artur, Գևորգ=Gevorg, Սամվել=Samvel, Դավիթ=Davit, Նարեկ=Narek, Վահե=Vahe, Հրանտ=Hrant,
Ռուբեն=Ruben, Աշոտ=Ashot"""
AM_WOMEN: Final = """Անահիտ=Anahit, Մարիամ=Mariam, Լիլիթ=Lilit, Գոհար=Gohar, Նարինե=Narine, Հասմիկ=Hasmik, Անի=Ani, Սոնա=Sona, Կարինե=Karine, Արմինե=Armine, Շուշան=Shushan,
Թամարա=Tamara, Լուսինե=Lusine, Մանե=Mane"""
TR_FAMILY: Final = """Yılmaz, Kaya, Demir, Çelik, Şahin, Yıldız, Yıldırım, Öztürk, Aydın, Özdemir, Arslan, Doğan, Kılıç, Aslan, Çetin, Kara, Koç, Kurt,
Özkan, Şimşek, Polat, Korkmaz, Çakır, Erdoğan, Güneş, Aktaş, Bulut, Karataş, Taş, Keskin, Bozkurt, Yüksel, Özgür, Karahan, Tekin, Ateş"""
TR_MEN: Final = "Mehmet, Mustafa, Ahmet, Ali, Hüseyin, Hasan, İbrahim, Murat, Ömer, Yusuf, Emre, Serkan, Burak, Özgür, Uğur, Baran, Çağdaş, Şükrü"
TR_WOMEN: Final = "Fatma, Ayşe, Emine, Hatice, Zeynep, Elif, Meryem, Özlem, Gülay, Songül, Esra, Büşra, Hülya, Şerife, Dilan, Rojda, Gülistan, Nuray"
VN_FAMILY: Final = """Nguyễn, Trần, Lê, Phạm, Hoàng, Phan, Vũ, Võ, Đặng, Bùi, Đỗ, Hồ, Ngô, Dương, Lý, Đinh, Đoàn, Lâm, Trịnh, Mai, Đào, Cao, Hà, Tạ, Lưu, Tô,
Châu, Quách, Thái, Tăng"""
VN_MEN: Final = "Văn Hùng, Minh, Quang, Tuấn, Dũng, Hải, Văn Nam, Đức, Long, Anh Tuấn, Thành, Phúc, Khoa, Bảo, Sơn"
VN_WOMEN: Final = (
    "Thị Hương, Thị Lan, Linh, Thị Mai, Hoa, Ngọc, Thảo, Phương, Thị Thu, Trang, Yến, Hạnh, Bích Ngọc, Kim Anh, Thúy"
)
HT_FAMILY: Final = """Jean, Pierre, Joseph, Charles, Louis, François, Jean-Baptiste, Saint-Louis, Jean-Louis, Michel, Étienne, Philippe, Augustin, Dorvil,
Désir, Estimé, Fleurimond, Exantus, Mérisier, Saint-Fleur, Beauvoir, Toussaint, Célestin, Delva, Bien-Aimé, Altidor, Clervil, Dieujuste, Jeudi,
Noël, Petit-Frère, Valcin"""
ID_FAMILY: Final = """Suharto, Wijaya, Santoso, Setiawan, Kusuma, Hidayat, Saputra, Nugroho, Susanto, Wibowo, Pratama, Siregar, Nasution, Lubis, Harahap,
Simanjuntak, Gunawan, Hartono, Rahayu, Lestari, Utami, Sari, Wulandari, Purnomo, Suryadi, Kurniawan, Permana, Sukarno, Halim, Tanjung"""
ID_MEN: Final = "Agus, Budi, Dedi, Eko, Joko, Rizki, Hendra, Andi, Yusuf, Wahyu, Bambang, Arif, Dwi"
ID_WOMEN: Final = "Siti, Dewi, Sri, Rina, Ayu, Putri, Fitri, Indah, Yuni, Ratna, Nur, Wati, Maya"


@cache
def origins() -> tuple[Origin, ...]:
    """Read all tables: the nationalities of the register, in a fixed order."""
    return (
        _maghreb_and_near_east()
        + _west_and_central_africa()
        + _east_africa_and_islands()
        + _europe_and_caucasus()
        + _asia()
        + _americas()
    )


def _of(  # noqa: PLR0913 -- one row of a table, its columns in order
    country: str, weight: int, reasons: tuple[tuple[str, int], ...], languages: str, family: tuple[Name, ...], men: str, women: str,
    *, family_women: tuple[Name, ...] = (), january: float | None = None, mononym: float = 0.0, double: float = 0.03, joint: str = "-",
    second: float = 0.0,
) -> Origin:  # fmt: skip
    spoken = [word.split() for word in languages.split(",")]
    return Origin(
        country=country,
        weight=weight,
        reasons=reasons,
        languages=tuple((tag, int(share)) for tag, share in spoken),
        family_men=family,
        family_women=family_women or family,
        given_men=names(men),
        given_women=names(women),
        january=january,
        mononym=mononym,
        double=double,
        joint=joint,
        second=second,
    )


def _maghreb_and_near_east() -> tuple[Origin, ...]:
    sons = compose(MAGHREB_STEMS, "بن=Ben, آيت=Aït, ولد=Ould", before=True)
    arab = (ARAB_MEN, ARAB_WOMEN)
    return (
        _of("MA", 150, FAMILY, "ar 64, fr 22, zgh 14", names(MA_FAMILY) + sons[:44], *arab, second=0.05, joint=" "),
        _of("DZ", 130, FAMILY, "ar 58, fr 32, kab 10", names(DZ_FAMILY) + sons, *arab, second=0.12, joint=" "),
        _of("TN", 85, WORK, "ar 74, fr 26", names(TN_FAMILY) + sons[:22], *arab, second=0.10, joint=" "),
        _of("SY", 28, ASYLUM, "ar 84, kmr 16", names(SY_FAMILY), *arab, january=0.30),
        _of("SD", 18, ASYLUM, "ar 100", names(SD_FAMILY), *arab, january=0.40, joint=" ", double=0.30),
        _of("IL", 6, WORK, "he 82, fr 18", names(IL_FAMILY), IL_MEN, IL_WOMEN),
        _of("IR", 12, STUDY, "fa 92, az 8", names(IR_FAMILY), IR_MEN, IR_WOMEN),
    )


def _west_and_central_africa() -> tuple[Origin, ...]:
    sahel = (SAHEL_MEN, SAHEL_WOMEN)
    christian = (CHRISTIAN_MEN, CHRISTIAN_WOMEN)
    mixed = (f"{CHRISTIAN_MEN}, {SAHEL_MEN}", f"{CHRISTIAN_WOMEN}, {SAHEL_WOMEN}")
    cameroon = (f"{CHRISTIAN_MEN}, {ENGLISH_MEN}", f"{CHRISTIAN_WOMEN}, {ENGLISH_WOMEN}")
    return (
        _of("CI", 62, MIXED, "fr 86, dyu 14", names(CI_FAMILY), *mixed, second=0.30, joint=" "),
        _of("SN", 52, FAMILY, "fr 52, wo 42, ff 6", names(SN_FAMILY), *sahel, second=0.10, joint=" "),
        _of("ML", 48, FAMILY, "bm 52, fr 40, snk 8", names(ML_FAMILY), *sahel, january=0.40),
        _of("GN", 55, ASYLUM, "fr 42, ff 38, man 12, sus 8", names(GN_FAMILY), *sahel, january=0.40, second=0.10, joint=" "),
        _of("CM", 48, STUDY, "fr 78, en 22", names(CM_FAMILY), *cameroon, double=0.25, second=0.35, joint=" "),
        _of("CD", 48, ASYLUM, "fr 70, ln 24, sw 6", names(CD_FAMILY), *christian, double=0.35, second=0.10, joint=" "),
        _of("CG", 20, MIXED, "fr 88, ln 12", names(CD_FAMILY), *christian, double=0.10, second=0.25, joint=" "),
    )


def _east_africa_and_islands() -> tuple[Origin, ...]:
    return (
        _of("ER", 16, ASYLUM, "ti 96, ar 4", names(ER_FAMILY), ER_MEN, ER_WOMEN, january=0.40, joint=" ", double=0.25),
        _of("ET", 10, ASYLUM, "am 74, om 18, ti 8", names(ET_FAMILY), ET_MEN, ET_WOMEN, january=0.40, mononym=0.02, joint=" "),
        _of("KM", 34, FAMILY, "zdj 58, fr 42", names(KM_FAMILY), KM_MEN, KM_WOMEN, joint=" ", double=0.12),
    )


def _europe_and_caucasus() -> tuple[Origin, ...]:
    ukrainian = names(UA_FAMILY) + compose(UA_STEMS, "енко=enko, ів=iv, ишин=yshyn")
    russian = names(RU_FAMILY)
    armenian = compose(AM_STEMS, "յան=yan")
    women = {"UA": feminine(ukrainian, SLAVIC), "RU": feminine(russian, SLAVIC)}
    return (
        _of("UA", 62, SHELTER, "uk 82, ru 18", ukrainian, UA_MEN, UA_WOMEN, family_women=women["UA"]),
        _of("RU", 30, MIXED, "ru 84, ce 16", russian, RU_MEN, RU_WOMEN, family_women=women["RU"]),
        _of("GE", 20, ASYLUM, "ka 96, ru 4", names(GE_FAMILY), GE_MEN, GE_WOMEN, double=0.0),
        _of("AM", 18, ASYLUM, "hy 90, ru 10", armenian, AM_MEN, AM_WOMEN, double=0.0),
        _of("TR", 46, MIXED, "tr 72, kmr 28", names(TR_FAMILY), TR_MEN, TR_WOMEN, second=0.08, joint=" "),
    )


def _asia() -> tuple[Origin, ...]:
    return (
        _of(
            "AF", 78, ASYLUM, "fa-AF 52, ps 44, uz 4", names(AF_FAMILY), AF_MEN, AF_WOMEN, january=0.40, mononym=0.09, double=0.01
        ),
        _of("CN", 34, STUDY, "zh 100", names(CN_FAMILY), CN_MEN, CN_WOMEN, double=0.0),
        _of("LK", 28, ASYLUM, "ta 88, si 12", names(LK_FAMILY), LK_MEN, LK_WOMEN, january=0.05, mononym=0.03, double=0.0),
        _of("BD", 30, ASYLUM, "bn 100", names(BD_FAMILY), BD_MEN, BD_WOMEN, january=0.22, mononym=0.02, joint=" "),
        _of("IN", 26, STUDY, "pa 46, hi 34, ta 12, en 8", names(IN_FAMILY), IN_MEN, IN_WOMEN, mononym=0.03, joint=" "),
        _of("VN", 14, STUDY, "vi 100", names(VN_FAMILY), VN_MEN, VN_WOMEN, double=0.0),
        _of("ID", 4, WORK, "id 100", names(ID_FAMILY), ID_MEN, ID_WOMEN, mononym=0.25, double=0.0, second=0.20, joint=" "),
    )


def _americas() -> tuple[Origin, ...]:
    return (
        _of("BR", 30, WORK, "pt-BR 100", names(BR_FAMILY), BR_MEN, BR_WOMEN, double=0.55, second=0.25, joint=" "),
        _of("HT", 32, FAMILY, "ht 76, fr 24", names(HT_FAMILY), CHRISTIAN_MEN, CHRISTIAN_WOMEN, second=0.20, joint=" "),
    )


# --- where people live, and what clerks note ---------------------------------------------------------------------------------------------

STREETS: Final = """rue de la République, avenue Jean Jaurès, rue Victor Hugo, rue Pasteur, boulevard Gambetta, rue des Écoles, place de la Mairie,
avenue du Général de Gaulle, rue Émile Zola, rue du Moulin, allée des Tilleuls, rue de la Gare, impasse des Lilas, rue Jules Ferry, chemin Vert,
av. de la Libération, RUE DU 8 MAI 1945, Rue Anatole France, quai de la Marne, rue Louise Michel, cours Lafayette, bd de Strasbourg, rue Voltaire,
rue de l'Église, résidence Les Peupliers, square Salvador Allende, rue Pierre Curie, rue du Faubourg, ALLEE DES ACACIAS, rue Gabriel Péri, rue Diderot,
avenue de Verdun, rue Jean Moulin, passage du Puits, rue Rosa Parks, rue des Cerisiers, rue Marcel Sembat, route de Paris, rue Barbès, rue Nationale"""
COMPLEMENTS: Final = "Bât. B - appt 12, Esc. 3, 2e étage, CADA - chambre 14, Foyer Les Marronniers, hall 4, Appt 204, Rés. Le Parc, chez un tiers, porte G, BP 12"
TOWNS: Final = """75018 Paris, 75019 PARIS, 75013 Paris 13e, 75020 Paris, 93200 Saint-Denis, 93200 ST DENIS, 93300 Aubervilliers, 93100 Montreuil,
93000 Bobigny, 93140 Bondy, 93600 Aulnay-sous-Bois, 94400 Vitry-sur-Seine, 94000 Créteil, 94200 Ivry-sur-Seine, 92000 Nanterre, 92700 Colombes,
92230 Gennevilliers, 95100 Argenteuil, 95200 Sarcelles, 95000 Cergy, 78200 Mantes-la-Jolie, 91000 Évry-Courcouronnes, 77000 Melun, 69003 Lyon 3e,
69003 LYON 03, 69007 Lyon, 69100 Villeurbanne, 69200 Vénissieux, 38000 Grenoble, 42000 Saint-Étienne, 42000 ST ETIENNE, 63000 Clermont-Ferrand,
13003 Marseille, 13003 Marseille 3ème, 13015 MARSEILLE, 06300 Nice, 83000 Toulon, 84000 Avignon, 34000 Montpellier, 30000 Nîmes, 66000 Perpignan,
31000 Toulouse, 31100 Toulouse, 64000 Pau, 33000 Bordeaux, 33300 Bordeaux, 87000 Limoges, 86000 Poitiers, 17000 La Rochelle, 44000 Nantes,
44800 Saint-Herblain, 35000 Rennes, 29200 Brest, 14000 Caen, 76600 Le Havre, 76000 Rouen, 80000 Amiens, 59000 Lille, 59100 Roubaix, 59200 Tourcoing,
62100 Calais, 51100 Reims, 10000 Troyes, 57000 Metz, 54000 Nancy, 67000 Strasbourg, 67200 STRASBOURG, 68100 Mulhouse, 90000 Belfort, 25000 Besançon,
21000 Dijon, 45000 Orléans, 37000 Tours, 49000 Angers, 72000 Le Mans, 97300 Cayenne, 97600 Mamoudzou, 97400 Saint-Denis"""
NOTES: Final = """À rappeler, Absent au 1er rendez-vous, Certificat médical reçu, Demande un interprète, Garde d'enfants le mercredi, Courrier revenu NPAI,
Dossier papier au service, Changement d'adresse à vérifier, Rendez-vous reporté, Vu avec le conjoint, Titre perdu - déclaration faite, Doublon ?"""
DOMAINS: Final = (
    "example.org", "example.com", "example.net", "courriel.example", "boite.example", "mail.example", "poste.example", "messagerie.example"
)  # fmt: skip
