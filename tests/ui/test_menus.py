"""The menu of built-in lessons."""

from __future__ import annotations

from PySide6.QtWidgets import QMenu

from cnnviz.lesson.files import lesson_names, lesson_words


def lessons_menu(window):
    (menu,) = (menu for menu in window.menuBar().findChildren(QMenu) if menu.title() == "Lessons")
    return menu


def test_lessons_stand_in_the_order_of_the_course_with_title_and_sentence(window):
    menu = lessons_menu(window)
    shown = [(action.text().replace("&&", "&"), action.toolTip()) for action in menu.actions()]
    assert shown == [lesson_words(name) for name in lesson_names()]
    assert menu.toolTipsVisible()


def test_each_opens_its_own_lesson(window):
    for name, action in zip(lesson_names(), lessons_menu(window).actions(), strict=True):
        action.trigger()
        assert window.desk.lesson.name == name
        assert not window.message.isVisible(), window.message.sentence.text()
