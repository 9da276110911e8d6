"""Answers that follow IFEval's instructions, made from what an instruction was given."""

from collections.abc import Callable, Mapping
from typing import Any

# A sentence in each of the languages that the data set asks for.
LANGUAGES = {
    "ar": "هذه جملة قصيرة مكتوبة باللغة العربية للجميع.",
    "bg": "Това кратко изречение беше написано на български език за всички ученици.",
    "bn": "এটি বাংলায় লেখা একটি ছোট বাক্য।",
    "de": "Dies ist ein kurzer Satz, der auf Deutsch für alle geschrieben wurde.",
    "fa": "این یک جمله کوتاه است که به فارسی نوشته شده است.",
    "fi": "Tämä on lyhyt lause, joka on kirjoitettu suomeksi kaikille ihmisille.",
    "gu": "આ ગુજરાતીમાં લખાયેલું એક નાનું વાક્ય છે.",
    "hi": "यह एक छोटा सा वाक्य है जो हिंदी में लिखा गया है और सबके लिए है।",
    "it": "Questa è una frase breve che è stata scritta in italiano per tutti.",
    "kn": "ಇದು ಕನ್ನಡದಲ್ಲಿ ಬರೆದ ಒಂದು ಸಣ್ಣ ವಾಕ್ಯ ಮತ್ತು ಎಲ್ಲರಿಗೂ ಆಗಿದೆ.",
    "ko": "이것은 한국어로 쓰인 짧은 문장입니다.",
    "mr": "हे मराठीत लिहिलेले एक छोटे वाक्य आहे आणि ते सर्वांसाठी आहे.",
    "ne": "यो नेपालीमा लेखिएको एउटा सानो वाक्य हो र यो सबैका लागि हो।",
    "pa": "ਇਹ ਪੰਜਾਬੀ ਵਿੱਚ ਲਿਖਿਆ ਇੱਕ ਛੋਟਾ ਵਾਕ ਹੈ।",
    "pt": "Esta é uma frase curta que foi escrita em português para todos vocês.",
    "ru": "Это короткое предложение написано на русском языке для всех.",
    "sw": "Hii ni sentensi fupi iliyoandikwa kwa Kiswahili kwa ajili ya watu wote.",
    "ta": "இது தமிழில் எழுதப்பட்ட ஒரு சிறிய வாக்கியம்.",
    "te": "ఇది తెలుగులో రాసిన ఒక చిన్న వాక్యం.",
    "th": "นี่คือประโยคสั้นๆ ที่เขียนเป็นภาษาไทย",
    "ur": "یہ اردو میں لکھا ہوا ایک چھوٹا سا جملہ ہے اور سب کے لیے ہے",
    "vi": "Đây là một câu ngắn được viết bằng tiếng Việt cho tất cả mọi người.",
}
ENGLISH = "this is a short answer that was written in the english language for everyone who reads it"


def many(piece: str, number: int, relation: str, between: str = " ") -> str:
    """A piece as often as asked for: one time less than what it has to be less than."""
    return between.join([piece] * (number - (relation == "less than"))) or "-"


def paragraphs(given: Mapping[str, Any]) -> str:
    parts = ["text"] * given["num_paragraphs"]
    parts[given["nth_paragraph"] - 1] = f'"{given["first_word"]}, and so on'
    return "\n\n".join(parts)


FOLLOWING: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "keywords:existence": lambda given: " ".join(given["keywords"]).upper(),
    "keywords:frequency": lambda given: many(given["keyword"], given["frequency"], given["relation"]),
    "keywords:forbidden_words": lambda given: "x".join(["", *given["forbidden_words"], ""]),
    "keywords:letter_frequency": lambda given: many(
        given["letter"], given["let_frequency"], given["let_relation"], "~"
    ),
    "language:response_language": lambda given: LANGUAGES[given["language"]],
    "length_constraints:number_sentences": lambda given: many("So it is.", given["num_sentences"], given["relation"]),
    "length_constraints:number_paragraphs": lambda given: many("Text.", given["num_paragraphs"], "", "\n\n***\n\n"),
    "length_constraints:number_words": lambda given: many("word", given["num_words"], given["relation"]),
    "length_constraints:nth_paragraph_first_word": paragraphs,
    "detectable_content:number_placeholders": lambda given: many("[name]", given["num_placeholders"], ""),
    "detectable_content:postscript": lambda given: f"Text.\n\n{given['postscript_marker']} More.",
    "detectable_format:number_bullet_lists": lambda given: many("* item", given["num_bullets"], "", "\n"),
    "detectable_format:constrained_response": lambda given: "My answer is maybe.",
    "detectable_format:number_highlighted_sections": lambda given: many("*so*", given["num_highlights"], ""),
    "detectable_format:multiple_sections": lambda given: "\n".join(
        f"{given['section_spliter']} {number + 1}\ntext" for number in range(given["num_sections"])
    ),
    "detectable_format:json_format": lambda given: '```json\n{"a": [1]}\n```',
    "detectable_format:title": lambda given: "<<A title>>\ntext",
    "combination:two_responses": lambda given: "One.\n******\nTwo.",
    "combination:repeat_prompt": lambda given: given["prompt_to_repeat"] + "\n\nText.",
    "startend:end_checker": lambda given: f"Text. {given['end_phrase']}\n",
    "change_case:capital_word_frequency": lambda given: (
        "so " + many("SO", given["capital_frequency"], given["capital_relation"])
    ),
    "change_case:english_capital": lambda given: ENGLISH.upper(),
    "change_case:english_lowercase": lambda given: ENGLISH,
    "punctuation:no_comma": lambda given: "Text.",
    "startend:quotation": lambda given: '"Text."',
}
