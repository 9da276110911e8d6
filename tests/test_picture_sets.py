"""The presets of data sets with pictures: rows in the layouts of their homes, and one through `perfcore eval`."""

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evaluators.registry import evaluator
from evaluators.sample import Sample
from evaluators.settings import evaluation_of, settings_of
from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.row import Row
from tests.answering import Service, answering
from tests.endtoend import run_here
from tests.test_dataset_presets import rows


def png(width: int = 1, height: int = 1, red: int = 0) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), (red, 0, 0)).save(data, "png")
    return data.getvalue()


def url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def struct(data: bytes) -> dict[str, Any]:
    """As `datasets` stores a picture."""
    return {"bytes": data, "path": "a.png"}


def parquet(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(line) for line in lines]), path)


def tsv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(lines)


def shown(row: Row) -> list[str]:
    """Texts and pictures of a row's only message, in their order."""
    assert row.messages is not None
    (message,) = row.messages
    return [part["text"] if part["type"] == "text" else part["image_url"]["url"] for part in message["content"]]


RED, BLACK = png(red=255), png()


def test_docvqa_has_lists_of_answers_and_pictures_that_several_rows_share(tmp_path: Path) -> None:
    lines = [
        {"index": 1, "question": "Who?", "answer": "['Ann', \"Ann's\"]", "image": 3},  # a row below has it
        {"index": 2, "question": "When?", "answer": '["1970"]', "image": text64(BLACK)},
        {"index": 3, "question": "Where?", "answer": "['x']", "image": text64(RED)},
        {"index": 4, "question": "Why?", "answer": "['y']", "image": 2},
    ]
    tsv(tmp_path / "DocVQA/DocVQA_VAL.tsv", lines)
    found = rows("docvqa_gen", tmp_path, most=9)
    assert [row.images for row in found] == [[url(RED)], [url(BLACK)], [url(RED)], [url(BLACK)]]
    assert found[0].reference == ["Ann", "Ann's"]
    assert str(found[0].prompt).startswith("Who?\n")
    assert "image" not in found[0].meta


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"index": 1, "question": "Who?", "answer": "['Ann'", "image": "x.png"}, "line 2: answer begins as a list"),
        ({"index": 1, "question": "Who?", "answer": "Ann", "image": 9}, "line 2: image is '9', and no row"),
    ],
)
def test_what_is_broken_is_named_with_its_line(line: dict[str, Any], words: str, tmp_path: Path) -> None:
    tsv(tmp_path / "InfoVQA/InfoVQA_VAL.tsv", [line])
    with pytest.raises(UserError, match=words):
        rows("infovqa_gen", tmp_path)


def test_docvqa_of_the_hub_has_pictures_in_its_rows(tmp_path: Path) -> None:
    line = {"questionId": "5", "question": "Who?", "question_types": ["form"], "image": struct(RED), "docId": 1}
    parquet(tmp_path / "docvqa_hub/DocVQA/validation-00000-of-00001.parquet", [{**line, "answers": ["Ann", "ann"]}])
    row = rows("docvqa_hub", tmp_path)[0]
    assert (row.id, row.reference, row.images) == ("5", ["Ann", "ann"], [url(RED)])


def test_textvqa_takes_the_answers_of_people_from_the_file_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "textvqa/textvqa_json"
    folder.mkdir(parents=True)
    question = {"image": "data/textvqa/train_images/003a.jpg", "question": "Which brand?", "question_id": 34602}
    (folder / "textvqa_val.jsonl").write_text(json.dumps(question) + "\n")
    answers = [{"answer": "nokia", "answer_confidence": "yes", "answer_id": number} for number in range(1, 11)]
    annotations = [{"question_id": 34602, "image_id": "003a", "answers": answers}]
    (folder / "textvqa_val_annotations.json").write_text(json.dumps({"annotations": annotations}))
    row = rows("textvqa_gen", tmp_path)[0]
    assert (row.id, row.reference) == ("34602", answers)
    assert Path(row.images[0]).resolve() == (tmp_path / "textvqa/train_images/003a.jpg").resolve()
    (folder / "textvqa_val_annotations.json").write_text(json.dumps({"annotations": [{"question_id": 1}]}))
    with pytest.raises(UserError, match="line 1: no row of the second file has question_id 34602"):
        rows("textvqa_gen", tmp_path)


def mmmu(**change: Any) -> dict[str, Any]:
    pictures = {f"image_{number}": None for number in range(1, 8)} | {"image_1": struct(RED), "image_2": struct(BLACK)}
    line = {"id": "validation_Art_1", "question": "<image 1> Which is it?", "options": "['a <image 2>', \"b's\"]"}
    more = {"explanation": "", "question_type": "multiple-choice", "subfield": "s", "topic_difficulty": "Easy"}
    return {**line, **more, **pictures, "answer": "B", **change}


def test_pictures_of_mmmu_stand_where_its_text_names_them(tmp_path: Path) -> None:
    parquet(tmp_path / "mmmu/Art_Theory/validation-00000-of-00001.parquet", [mmmu()])
    row = rows("mmmu_gen", tmp_path)[0]
    parts = shown(row)
    assert parts[:4] == [url(RED), " Which is it?\nA. a ", url(BLACK), parts[3]]
    assert parts[3].startswith("B. b's\nReason")
    assert (row.subset, row.reference, row.images) == ("Art_Theory", "B", [])
    assert row.meta["options"] == ["a <image 2>", "b's"]


def test_a_picture_that_the_text_does_not_name_stands_before_it_and_a_mark_without_one_stays(tmp_path: Path) -> None:
    line = mmmu(question="See <image 3>.", options="[]", answer="['24/7', '3.429']")
    parquet(tmp_path / "mmmu/Math/validation-00000-of-00001.parquet", [line])
    row = rows("mmmu", tmp_path)[0]
    assert shown(row)[:2] == [url(RED), url(BLACK)]
    assert shown(row)[2].startswith("See <image 3>.\n\nReason")
    assert row.reference == ["24/7", "3.429"]


@pytest.mark.parametrize(
    ("name", "reference", "text", "score"),
    [
        ("mmmu", "0.08", "ANSWER: 0.0803", 1.0),  # to two decimals, as their authors compare
        ("mmmu", "0.08", "ANSWER: 0.09", 0.0),
        ("mmmu", "Mona Lisa", "It hangs in Paris.\nANSWER: the Mona Lisa, of 1503", 1.0),
        ("mmmu", "Mona Lisa", "The Mona Lisa is not it.\nANSWER: The Scream", 0.0),
        ("mmmu", "yes", "ANSWER: no", 0.0),
        ("mathvision", "3.14", "So \\boxed{3.1416}", 1.0),
        ("mathvision", "3.14", "So \\boxed{3.15}", 0.0),
        ("mathvision", "36", "So \\boxed{36\\pi}", 0.0),
        ("mathvision", "3", "So \\boxed{3\\sqrt{2}}", 0.0),
        ("realworldqa", "-3", "ANSWER: 3", 0.0),
        ("realworldqa", "Downhill", "ANSWER: downhill.", 1.0),
        ("mmstar", "B", "<|begin_of_box|>B<|end_of_box|>", 1.0),
    ],
)
def test_open_answers_are_scored_as_the_authors_of_the_sets_do(
    name: str, reference: str, text: str, score: float
) -> None:
    given = evaluation_of(registry.resolved(name, None).preset.evaluation, name)
    own = evaluator(given.evaluator)
    settings = settings_of(given.args, own.settings, name)
    assert own.score(text, Sample(id="7", reference=reference, meta={"options": []}), settings).score == score


def test_pictures_may_be_named_with_an_underscore_as_their_columns_are(tmp_path: Path) -> None:
    parquet(tmp_path / "mmmu/Art/validation-00000-of-00001.parquet", [mmmu(question="<image_2> or <image_1>?")])
    assert shown(rows("mmmu", tmp_path)[0])[:3] == [url(BLACK), " or ", url(RED)]


def choices(count: int) -> dict[str, str]:
    return {letter: f"choice {letter}" if at < count else "" for at, letter in enumerate("ABCDEFGHIJ")}


@pytest.mark.parametrize("name", ["mmmu_pro_options10_gen", "mmmu_pro_options10_cot_gen"])
def test_mmmu_pro_has_up_to_ten_choices_and_lists_of_pictures(name: str, tmp_path: Path) -> None:
    pictures = str([text64(RED), text64(BLACK)])
    line = {"index": 1, "question": "<image 2> or <image 1>?", **choices(6), "answer": "F", "category": "Art"}
    tsv(tmp_path / "mmmu_pro/MMMU_Pro_10c.tsv", [{**line, "image": pictures}])
    row = rows(name, tmp_path)[0]
    parts = shown(row)
    assert parts[:3] == [url(BLACK), " or ", url(RED)]
    assert "E. choice E\nF. choice F\nRe" in parts[3]
    assert (row.subset, row.reference, row.meta["F"]) == ("Art", "F", "choice F")


def test_mmmu_pro_in_a_picture_has_no_text_of_its_own(tmp_path: Path) -> None:
    line = {"index": 1, **choices(10), "answer": "J", "category": "Art", "image": text64(RED)}
    tsv(tmp_path / "mmmu_pro/MMMU_Pro_V.tsv", [line])
    row = rows("mmmu_pro_vision_gen", tmp_path)[0]
    assert (row.images, row.reference) == ([url(RED)], "J")
    assert "choice" not in str(row.prompt).replace("choices", "").replace("right choice", "")


def test_mmstar_has_four_choices_by_category(tmp_path: Path) -> None:
    line = {"index": 0, "question": "Which?", **dict(zip("ABCD", "abcd", strict=True)), "answer": "C"}
    tsv(tmp_path / "mmstar/MMStar.tsv", [{**line, "category": "math", "l2_category": "x", "image": text64(RED)}])
    row = rows("mmstar_gen", tmp_path)[0]
    assert str(row.prompt).startswith("Which?\nA. a\nB. b\nC. c\nD. d\n")
    assert (row.subset, row.reference) == ("math", "C")


def test_mathvision_has_choices_in_some_rows(tmp_path: Path) -> None:
    line = {"id": "4", "question": "Sum?\n<image1>", "image": "images/4.jpg", "decoded_image": struct(RED), "level": 2}
    lines = [
        {**line, "options": ["1", "2"], "answer": "B", "subject": "counting"},
        {**line, "id": "5", "options": [], "answer": "7", "subject": "counting"},
    ]
    parquet(tmp_path / "mathvision/data/test-00000-of-00001.parquet", lines)
    first, second = rows("mathvision_gen", tmp_path)
    assert shown(first)[0] == "Sum?" and shown(first)[1] == url(RED) and shown(first)[2].startswith("A. 1\nB. 2\n")
    assert (first.subset, first.meta["options"], second.meta["options"]) == ("level 2", ["1", "2"], [])


def test_realworldqa_geometry3k_and_videomme_are_read_as_their_homes_have_them(tmp_path: Path) -> None:
    parquet(
        tmp_path / "RealworldQA/data/test-00000-of-00002.parquet",
        [{"image": struct(RED), "question": "Which way?\nA. left\nB. right", "answer": "B"}],
    )
    row = rows("realworldqa_gen_base64", tmp_path)[0]
    assert (row.images, row.reference) == ([url(RED)], "B")
    parquet(
        tmp_path / "geometry3k/data/test-00000-of-00001.parquet",
        [{"images": [struct(RED)], "problem": "<image>Find x.", "answer": "3 \\sqrt { 2 }"}],
    )
    row = rows("geometry3k_gen", tmp_path)[0]
    assert shown(row)[0] == url(RED) and shown(row)[1].startswith("Find x.\nFirst")
    film = {"videoID": "a-b", "question_id": "1-1", "duration": "short", "domain": "d", "sub_category": "s"}
    ask = {"task_type": "t", "question": "Who?", "options": ["A. Ann.", "B. Bob."], "answer": "A"}
    parquet(tmp_path / "Video-MME/videomme/test-00000-of-00001.parquet", [film | ask])
    row = rows("videomme_gen", tmp_path)[0]
    assert Path(row.videos[0]).resolve() == (tmp_path / "Video-MME/video/a-b.mp4").resolve()
    assert str(row.prompt).startswith("Who?\nA. Ann.\nB. Bob.\n")


def refcoco(folder: Path) -> None:
    line = {"question_id": "9", "image": struct(png(200, 100)), "question": "Caption it.", "file_name": "a.jpg"}
    for split in ("val", "test", "testA", "testB"):
        parquet(
            folder / f"RefCOCO/data/{split}-00000-of-00001.parquet",
            [{**line, "answer": ["left dog", "the black one"], "bbox": [20.0, 10.0, 40.0, 30.0]}],
        )


def test_each_description_of_refcoco_is_asked_by_itself(tmp_path: Path) -> None:
    refcoco(tmp_path)
    found = rows("refcoco_gen", tmp_path, most=9)
    assert [(row.subset, row.id) for row in found[:3]] == [("val", "9/1"), ("val", "9/2"), ("test", "9/1")]
    assert found[1].meta == {"answer": "the black one", "image_width": 200, "image_height": 100}
    assert '"the black one"' in str(found[1].prompt) and '{"bbox_2d": [x1' in str(found[1].prompt)
    assert found[1].reference == [20.0, 10.0, 40.0, 30.0]
    assert [row.subset for row in rows("refcoco_testB", tmp_path)] == ["testB", "testB"]


def test_refcoco_goes_through_perfcore_eval(tmp_path: Path) -> None:
    refcoco(tmp_path)

    def seen(body: dict[str, Any]) -> str:
        """Finds what is left, and looks for all else in the wrong place."""
        words = next(part["text"] for part in body["messages"][-1]["content"] if part["type"] == "text")
        box = [100, 100, 300, 400] if "left dog" in words else [600, 600, 900, 900]
        return json.dumps([{"bbox_2d": box, "label": "dog"}])

    with answering(Service(reader=seen)) as service:
        arguments = ("--url", service.url, "--no-check", "--dataset", "refcoco_gen", "--data-dir", tmp_path)
        done = run_here("eval", *arguments, "--out", tmp_path / "out", "--dump-details")
    assert done.exit_code == 0, done.stderr
    result = json.loads((tmp_path / "out/results/adder/refcoco_gen.json").read_bytes())
    named = {one["name"]: one["value"] for one in result["measures"]}
    assert (named["accuracy@0.5"], named["iou"], result["counts"]["items"]) == (0.5, 0.5, 8)
    assert service.bodies[0]["messages"][-1]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
