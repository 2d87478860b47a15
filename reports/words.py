"""The words of reports, in French and English; everything else of a report is figures."""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("fr", "en")

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Bilan du support", "Support digest"),
    "nothing": ("Rien à signaler sur cette période.", "Nothing to report for this period."),
    "period": ("Période", "Period"),
    "counted_at": ("Situation au", "As of"),
    "scope": ("Équipes", "Teams"),
    "everything": ("toutes", "all"),
    "decimal": (",", "."),
    "colon": (" : ", ": "),
    "yes": ("oui", "yes"),
    "no": ("non", "no"),
    # figures
    "figure": ("Chiffre", "Figure"),
    "count": ("Nombre", "Count"),
    "new": ("Nouveaux", "New"),
    "answered": ("Répondus", "Answered"),
    "resolved": ("Résolus", "Resolved"),
    "waiting": ("En attente", "Waiting"),
    "late": ("En retard", "Late"),
    "escalated": ("Escaladés", "Escalated"),
    "bounces": ("Messages non remis", "Bounces"),
    "quarantine": ("En quarantaine", "In quarantine"),
    "mails": ("Messages reçus", "Mails received"),
    # sections and sheets
    "overview": ("En bref", "Overview"),
    "summary": ("Synthèse", "Summary"),
    "tickets": ("Tickets", "Tickets"),
    "categories": ("Par catégorie", "By category"),
    "teams": ("Par équipe", "By team"),
    "organisations": ("Par organisation", "By organisation"),
    "times": ("Délais", "Times"),
    "spikes": ("Affluence inhabituelle sur 24 heures", "More than usual in 24 hours"),
    "usual": ("Jour habituel", "Usual day"),
    "trend": ("Tendance", "Trend"),
    "articles": ("Questions sans article", "Questions without an article"),
    "shared_words": ("Mots partagés", "Shared words"),
    "deadlines": ("Échéances", "Deadlines"),
    "letters": ("Courriers par état", "Letters by state"),
    "rings": ("Escalades par niveau", "Escalations by level"),
    # columns
    "category": ("Catégorie", "Category"),
    "team": ("Équipe", "Team"),
    "organisation": ("Organisation", "Organisation"),
    "current": ("Cette période", "This period"),
    "mean": ("Moyenne précédente", "Mean before"),
    "arrow": ("Évolution", "Change"),
    "measure": ("Mesure", "Measure"),
    "median": ("Médiane", "Median"),
    "p90": ("90 % en moins de", "90% within"),
    "median_minutes": ("Médiane (min)", "Median (min)"),
    "p90_minutes": ("90e centile (min)", "90th percentile (min)"),
    "response": ("Première réponse", "First answer"),
    "resolution": ("Résolution", "Resolution"),
    "respond": ("Première réponse", "First answer"),
    "resolve": ("Résolution", "Resolution"),
    "promise": ("Engagement", "Promise"),
    "kept": ("Tenues", "Kept"),
    "missed": ("Manquées", "Missed"),
    "state": ("État", "State"),
    "number": ("Numéro", "Number"),
    "subject": ("Objet", "Subject"),
    "priority": ("Priorité", "Priority"),
    "status": ("Statut", "Status"),
    "level": ("Niveau", "Level"),
    "opened_at": ("Ouvert le", "Opened"),
    "respond_by": ("Réponse avant", "Answer by"),
    "responded_at": ("Répondu le", "Answered on"),
    "resolve_by": ("Résolution avant", "Resolve by"),
    "resolved_at": ("Résolu le", "Resolved on"),
    "closed_at": ("Clos le", "Closed on"),
    "is_late": ("Retard", "Late"),
    "due_at": ("Échéance", "Due"),
    "minutes_left": ("Reste (min)", "Left (min)"),
    # values of closed sets; any other value is shown as it is
    "status.new": ("nouveau", "new"),
    "status.in_analysis": ("en analyse", "in analysis"),
    "status.solution_proposed": ("solution proposée", "solution proposed"),
    "status.resolved": ("résolu", "resolved"),
    "status.closed": ("clos", "closed"),
    "priority.normal": ("normale", "normal"),
    "priority.important": ("importante", "important"),
    "priority.urgent": ("urgente", "urgent"),
}


def pick_words(language: str) -> dict[str, str]:
    """The words of `language` ("fr", "en", "fr-CA"); English for a language that has none here."""
    base = language.partition("-")[0].lower()
    column = LANGUAGES.index(base if base in LANGUAGES else "en")
    return {key: words[column] for key, words in WORDS.items()}
