"""Django's forms in KERN's clothes."""

from django.forms.renderers import TemplatesSetting


class Renderer(TemplatesSetting):
    """Renders each field with label, hint and errors tied to its input."""

    field_template_name = "web/forms/field.html"
