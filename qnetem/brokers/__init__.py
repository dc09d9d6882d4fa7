"""What each kind of broker needs: its command and configuration, a free port, a sign of life.

The broker's life is in ../broker.py; nothing here holds a process.
"""
