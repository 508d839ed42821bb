"""The work of people: tasks, contacts, promises, reminders, holds."""
