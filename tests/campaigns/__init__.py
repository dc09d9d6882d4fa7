"""Campaigns: the judge's assertions show values, as those of tests do."""

import pytest

pytest.register_assert_rewrite("tests.campaigns.campaign")
