//! Card readers over PC/SC.
