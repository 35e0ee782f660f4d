"""How an application is called: the waist where the server half and the web half meet."""
