from django.urls import path

from accounts import address_views, sent_mail_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/sent/", views.sign_in_sent, name="sign-in-sent"),
    path("sign-in/again/", views.sign_in_again, name="sign-in-again"),
    path("sign-in/demo/", views.demo_sign_in, name="demo-sign-in"),
    path("sign-in/<str:token>/", views.sign_in_link, name="sign-in-link"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("welcome/", views.welcome, name="welcome"),
    path("welcome/handle/", views.handle_status, name="handle-status"),
    path("mails/", sent_mail_views.mails, name="mails"),
    path("mails/<str:name>/", sent_mail_views.mail, name="mail"),
    path("mails/<str:name>/html/", sent_mail_views.mail_html, name="mail-html"),
    path("profile/", views.profile, name="profile"),
    path("profile/address/", address_views.address, name="address"),
    path("profile/tokens/", views.create_token, name="create-token"),
    path("profile/tokens/<int:token_id>/revoke/", views.revoke_token, name="revoke-token"),
]
