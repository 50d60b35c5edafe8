"""Addresses of the pages, in the words that people read in them."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

from tenants.web.views import (
    bulk,
    cases,
    clerks,
    documents,
    drafts,
    guide,
    imports,
    session,
    steps,
    worklist,
)

_pages = [
    path("", worklist.show, name="worklist"),
    path("annehmen/", bulk.accept, name="accept_many"),
    path("anmelden/", session.sign_in, name="sign_in"),
    path("abmelden/", session.sign_out, name="sign_out"),
    path("konto/", session.account, name="account"),
    path("hilfe/", guide.show, name="help"),
    path("ersuchen/neu/", drafts.new, name="draft_new"),
    path("ersuchen/behoerde/", drafts.authority, name="draft_authority"),
    path("ersuchen/<uuid:case_id>/", drafts.edit, name="draft_edit"),
    path("ersuchen/<uuid:case_id>/pruefen/", drafts.check, name="draft_check"),
    path("ersuchen/<uuid:case_id>/senden/", drafts.submit, name="draft_submit"),
    path("ersuchen/<uuid:case_id>/loeschen/", drafts.delete, name="draft_delete"),
    path("ersuchen/<uuid:case_id>/berichtigen/", drafts.correct, name="correct"),
    path("vorgang/<uuid:case_id>/", cases.show, name="case"),
    path("vorgang/<uuid:case_id>/nachweis/", cases.evidence, name="evidence"),
    path("vorgang/<uuid:case_id>/anlagen/", documents.add, name="document_add"),
    path("vorgang/<uuid:case_id>/sendung/<uuid:message_id>/", cases.resend, name="message_resend"),
    path("vorgang/<uuid:case_id>/frueher/<slug:part>/", cases.earlier, name="case_earlier"),
    path("vorgang/<uuid:case_id>/<slug:slug>/", steps.take, name="step"),
    path("anlage/<uuid:document_id>/", documents.show, name="document"),
    path("anlage/<uuid:document_id>/entfernen/", documents.remove, name="document_remove"),
    path("import/", imports.index, name="imports"),
    path("import/vorlage.csv", imports.template, name="import_template"),
    path("import/<uuid:run_id>/", imports.show, name="import_run"),
    path("import/<uuid:run_id>/entscheiden/", imports.decide, name="import_decide"),
    path("import/<uuid:run_id>/zustaendigkeit/", imports.choose, name="import_choose"),
    path("import/<uuid:run_id>/fehler.csv", imports.faults, name="import_faults"),
    path("zugaenge/", clerks.index, name="clerks"),
    path("zugaenge/neu/", clerks.create, name="clerk_new"),
    path("zugaenge/<uuid:clerk_id>/", clerks.change, name="clerk"),
    path("zugaenge/<uuid:clerk_id>/schalten/", clerks.switch, name="clerk_switch"),
]

urlpatterns = [
    path("sprache/", login_not_required(set_language), name="set_language"),
    path("", include((_pages, "web"))),
]
