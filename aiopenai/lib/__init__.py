"""What methods do beyond one HTTP call, imported when it is first used."""
