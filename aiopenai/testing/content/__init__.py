"""The content of replies: texts, pictures, sounds, values by schema."""
