# ruff: noqa: RUF001 - these texts contain look-alike characters on purpose
"""Sample names and texts in many scripts."""

#: For each script, the first and the second words of channel names.
NAMES: tuple[tuple[tuple[str, str, str, str], tuple[str, str, str, str]], ...] = (
    (("Lately", "Golden", "Quiet", "Rapid"), ("Fashionable", "Kitchen", "Machines", "Rivers")),
    (("Ação", "Coração", "Família", "São João"), ("à Paulista", "Maçã", "Avó", "Violão")),
    (("Лекции", "Кухня", "Дача", "Игры"), ("о физике", "бабушки", "каждый день", "и люди")),
    (("قناة", "عالم", "مطبخ", "حكايات"), ("الطبخ", "السيارات", "العائلة", "الليل")),
    (("東京", "料理", "旅する", "猫の"), ("チャンネル", "大学", "日記", "ラボ")),
    (("科技", "美食", "历史", "音乐"), ("频道", "世界", "故事", "研究所")),
    (("서울", "요리", "게임", "여행"), ("채널", "연구소", "일기", "이야기")),
    (("Ελληνική", "Παλιά", "Μικρή", "Νέα"), ("κουζίνα", "ιστορία", "μουσική", "θάλασσα")),
    (("हिन्दी", "रसोई", "संगीत", "खेल"), ("ज्ञान", "समाचार", "कहानी", "दुनिया")),
    (("🎮 Play", "🍕 Pizza", "👩‍🔬 Lab", "🇧🇷 Brasil"), ("Zone 🚀", "Größe", "Łódź", "Čas")),
)

TITLES: tuple[str, ...] = (
    "How I fixed my garden in 30 days",
    "Receita de pão de queijo: fácil, rápida & barata",
    "Tom & Jerry <remastered>",
    'He said "no" - and it\'s fine',
    "Как приготовить борщ",
    "أفضل عشر وصفات",
    "世界で一番高い山に登る",
    "为什么天空是蓝色的？",
    "고양이와 함께한 하루",
    "50% off • only today • 3 comentários",
    "if (a < b && b > c) { return; }",
    "Η θάλασσα το χειμώνα",
    "दस मिनट में नाश्ता",
    "🔥🔥 TOP 10 🔥🔥",
    "¿Qué pasó aquí?",
    "L'été à l'île d'Oléron",
)

CATEGORIES: tuple[str | None, ...] = (
    "Education",
    "Film & Animation, Comedy",
    None,
    "Howto & Style,Lifestyle",
    "Música, Cultura , Política",
    "Science & Technology",
    "People & Blogs, Família",
)

COUNTRIES: tuple[str | None, ...] = ("US", "(PT)", "BR", None, "JP", "", "(DE)", "IN", "RU", "EG")

UPLOADED: tuple[str, ...] = ("há 3 horas", "há 2 dias", "há 1 mês", "há 6 meses", "há 2 anos")

KEYWORDS: tuple[str, ...] = ("moda", "diy & craft", "receitas", "игры", "料理", "c++", "d'água")

SUBJECTS: tuple[str, ...] = ("Lifestyle", "Tecnologia", "Comida", "Jogos", "Viagem")

NICHES: tuple[str, ...] = ("Culinária caseira", "Faceless & IA", "Viagens baratas", "Retro games")
